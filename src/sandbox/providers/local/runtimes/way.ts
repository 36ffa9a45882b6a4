import { chmodSync } from "node:fs";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { SandboxSpecification } from "../../../provider.ts";
import type { Cgroup } from "../cgroup.ts";
import { lendSentryNamespace, sentryOwner } from "../bundle/id-map.ts";
import { sandboxMemory, STATE } from "../keeper/message.ts";
import type { Machine } from "../machine.ts";
import type { LaunchedKeeper } from "../resident-keeper.ts";
import type { SandboxFiles } from "./runtime-files.ts";
import { sentryConfiguration } from "./sentry-configuration.ts";
import { stagedBundle } from "../bundle/staged-bundle.ts";
import type { OciRuntime } from "./oci-runtime.ts";

interface WayContext {
  launched: LaunchedKeeper;
  machine: Machine;
  runtime: OciRuntime;
}

interface OpenSandbox {
  number: number;
  cgroup: Cgroup | undefined;
  files: SandboxFiles;
  networkFd: number;
  /** As the container runtimes take it. */
  configuration: object;
  specification: Pick<SandboxSpecification, "hasRoot">;
}

export interface Way {
  /** Command prefixes that put the runtime where it is to be: for the first process, and for later ones. */
  enterToRun: readonly string[];
  enter: readonly string[];
  bundle: string;
  stateRoot: string;
  configuration: object;
}

/** What each runtime finds prepared. gVisor runs as a user whom the agent's files do not belong to. */
export async function prepareWay(
  { launched, machine, runtime }: WayContext,
  sandbox: OpenSandbox,
): Promise<Way> {
  const { number, cgroup, files, networkFd, configuration, specification } = sandbox;
  const { keeper } = launched;
  const enter = [...(cgroup?.enter ?? []), ...keeper.enter];
  const { directory, insideKeeper } = files;
  const way = { enterToRun: enter, enter, bundle: directory, stateRoot: join(directory, STATE) };
  if (runtime.overlays === "runtime") return { ...way, configuration };
  const bundle = stagedBundle(configuration, number);
  const { overlays } = bundle;
  if (runtime.isolation !== "gvisor") {
    await keeper.stage(number, { overlays, owner: { uid: 0, gid: 0 } });
    return { ...way, configuration: bundle.configuration };
  }
  const userFd = await lendSentryNamespace(launched, machine);
  await keeper.stage(number, { overlays, owner: sentryOwner(machine) });
  // SECURITY: to be passed by the runtime's own user; nobody else can come here.
  chmodSync(directory, 0o711);
  const { nsenter } = machine.tools;
  const toSentry = [
    nsenter,
    `--net=/proc/1/fd/${networkFd}`,
    "--",
    // Once in the user namespace, nothing could enter the network any more.
    nsenter,
    "--setuid=0",
    "--setgid=0",
    `--user=/proc/1/fd/${userFd}`,
    "--",
  ];
  return {
    // SECURITY: packages bring set-user-id programs, which are a subordinate id's outside; where they are installed nothing of
    // the user's is laid in that could take such a bit.
    enterToRun: [...enter, ...(specification.hasRoot === true ? [] : filtered()), ...toSentry],
    enter: [...enter, ...toSentry],
    bundle: insideKeeper,
    stateRoot: `${sandboxMemory(number)}/${STATE}`,
    configuration: sentryConfiguration(bundle.configuration),
  };
}

/** Command prefix that runs a program under a filter of our own: gVisor has none that we could choose. */
function filtered(): readonly string[] {
  const program = new URL(
    `../system-calls/filtered-program${extname(import.meta.url)}`,
    import.meta.url,
  );
  return [process.execPath, "--disable-warning=ExperimentalWarning", fileURLToPath(program)];
}
