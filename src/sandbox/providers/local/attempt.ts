import { statSync } from "node:fs";
import { CattlegridError } from "../../../errors/error.ts";
import type { Logger } from "../../../platform/logger.ts";
import { AGENT_ID, sandboxEnvironment } from "../../guest/environment.ts";
import type { SandboxSpecification } from "../../provider.ts";
import type { Directories } from "../../storage/directories.ts";
import type { BaseRoot } from "./base-root.ts";
import type { ResourceBounds } from "./bundle/bundle.ts";
import type { Cgroup, CgroupPlace } from "./cgroup.ts";
import { systemNames, toolchainPath, toolchainSources } from "./host-facts.ts";
import { lendIdMap } from "./bundle/id-map.ts";
import type { Machine } from "./machine.ts";
import type { Protection } from "./protection.ts";
import type { LaunchedKeeper } from "./resident-keeper.ts";
import { rootLayout, type RootLayout } from "./bundle/root-layout.ts";
import type { SandboxFiles } from "./runtimes/runtime-files.ts";
import type { OciRuntime } from "./runtimes/oci-runtime.ts";

export interface StartContext {
  machine: Machine;
  launched: LaunchedKeeper;
  directories: Directories;
  cgroups: CgroupPlace | undefined;
  runtime: OciRuntime;
  /** Its name and version. */
  runtimeVersion: string;
  logger: Logger;
}

/** Of whom there is no file: each shows as what it is. */
const NOBODY = { uid: AGENT_ID, gid: AGENT_ID };

/** What the way to a running sandbox has made so far, to be undone in reverse order. */
export interface Attempt {
  number: number;
  specification: SandboxSpecification;
  files: SandboxFiles;
  layout: RootLayout;
  bounds: ResourceBounds;
  cgroup: Cgroup | undefined;
  root: BaseRoot | undefined;
  protection?: Protection;
}

export async function planLayout(
  { machine, launched }: StartContext,
  specification: SandboxSpecification,
): Promise<RootLayout> {
  const { workspace, toolchains } = specification;
  const idMap =
    machine.isRoot && workspace !== undefined
      ? await lendIdMap(launched, machine, statWorkspace(workspace.source ?? workspace.path))
      : undefined;
  const baseIdMap =
    machine.isRoot && specification.base?.directory !== undefined
      ? await lendIdMap(launched, machine, NOBODY)
      : undefined;
  return rootLayout({
    ...(baseIdMap === undefined ? {} : { baseIdMap }),
    specification,
    systemNames: systemNames(),
    toolchainSources: toolchainSources(toolchains),
    ...(idMap === undefined ? {} : { workspaceIdMap: idMap }),
  });
}

function statWorkspace(workspace: string): { uid: number; gid: number } {
  const found = statSync(workspace, { throwIfNoEntry: false });
  if (found !== undefined) return found;
  throw new CattlegridError("WORKSPACE_MISSING", `${workspace} does not exist.`);
}

export function environmentOf(
  { launched }: StartContext,
  { specification, root }: Pick<Attempt, "specification" | "root">,
): Record<string, string> {
  return sandboxEnvironment({
    specification,
    toolchainPath: toolchainPath(specification.toolchains),
    shell: root?.shell ?? launched.files.shell,
  });
}
