import { sandboxMemory } from "./keeper/message.ts";

interface Mount {
  destination: string;
  type: string;
  source: string;
  options: readonly string[];
}

interface Configuration {
  mounts: readonly Mount[];
  linux: Record<string, unknown>;
}

export interface SentryBundle {
  configuration: object;
  /** What the keeper has to mount first: gVisor mounts no overlays of the host. */
  overlays: readonly { name: string; options: readonly string[] }[];
}

/** The sentry has devices, a /proc and a filter for system calls of its own. */
const OWN = new Set(["/dev", "/dev/pts"]);
/** The others are entered before: those of network and users by who starts the runtime. */
const NAMESPACES = ["pid", "mount", "ipc", "uts"];

/**
 * SECURITY: a tree comes with everything mounted in it, also what protects paths: those mounts are in the mount
 * namespace of gVisor's file server, where the kernel lets nobody write to them or move them.
 */
function wholeTree(mount: Mount): Mount {
  const options = mount.options.map((option) => (option === "bind" ? "rbind" : option));
  return { ...mount, type: "bind", options };
}

/** The same sandbox for gVisor: what the container runtimes mount themselves, it finds mounted. */
export function sentryBundle(configuration: object, sandbox: number): SentryBundle {
  const { mounts, linux, ...rest } = configuration as Configuration;
  const overlays: { name: string; options: readonly string[] }[] = [];
  const adapt = (mount: Mount): Mount => {
    if (mount.type !== "overlay") return mount;
    const name = `o${overlays.length}`;
    overlays.push({ name, options: mount.options });
    const access = mount.options.includes("ro") ? "ro" : "rw";
    const source = `${sandboxMemory(sandbox)}/${name}`;
    return { ...mount, type: "bind", source, options: ["bind", access, "nosuid", "nodev"] };
  };
  const trees = `${sandboxMemory(sandbox)}/`;
  const isBelowTree = ({ source }: Mount): boolean =>
    source.startsWith(trees) && source.slice(trees.length).includes("/");
  const adapted = mounts
    .filter((mount) => !OWN.has(mount.destination) && !isBelowTree(mount))
    .map((mount) => (mount.type === "none" ? wholeTree(mount) : adapt(mount)));
  const { maskedPaths, readonlyPaths } = linux;
  return {
    overlays,
    configuration: {
      ...rest,
      mounts: adapted,
      annotations: {},
      linux: { namespaces: NAMESPACES.map((type) => ({ type })), maskedPaths, readonlyPaths },
    },
  };
}
