import { sandboxMemory } from "../keeper/message.ts";

interface Mount {
  destination: string;
  type: string;
  source: string;
  options: readonly string[];
}

export interface Configuration {
  mounts: readonly Mount[];
  linux: Record<string, unknown>;
  annotations: Record<string, string>;
}

export interface StagedBundle {
  configuration: Configuration;
  /** What the keeper has to mount first. */
  overlays: readonly { name: string; options: readonly string[] }[];
}

/** The same sandbox for a runtime that finds the overlays mounted. */
export function stagedBundle(configuration: object, sandbox: number): StagedBundle {
  const { mounts, ...rest } = configuration as Configuration;
  const overlays: { name: string; options: readonly string[] }[] = [];
  const adapt = (mount: Mount): Mount => {
    if (mount.type !== "overlay") return mount;
    const name = `o${overlays.length}`;
    overlays.push({ name, options: mount.options });
    const access = mount.options.includes("ro") ? "ro" : "rw";
    const source = `${sandboxMemory(sandbox)}/${name}`;
    return { ...mount, type: "bind", source, options: ["bind", access, "nosuid", "nodev"] };
  };
  return { overlays, configuration: { ...rest, mounts: mounts.map(adapt) } };
}
