import { asCattlegridError } from "../../../errors/error.ts";
import { openNftables } from "../../../platform/native/nftables.ts";
import { SFTP_SERVERS } from "../../../platform/sftp-server.ts";
import type { Isolation, Probe, SandboxProvider } from "../../provider.ts";
import { findCgroupPlace } from "./cgroup.ts";
import { openDirectories } from "../../storage/directories.ts";
import { tryWorkspace } from "../../guest/trial.ts";
import { findSystemProgram, isExecutable } from "../../../platform/system-program.ts";
import { inspectMachine } from "./machine.ts";
import { findContainerRuntimes, type NamedPrograms } from "./runtimes/choice.ts";
import { readRuntimeVersion } from "./runtimes/version.ts";

export interface ProbeContext {
  stateDirectory: string;
  programs?: NamedPrograms;
  provider: SandboxProvider;
  signal: AbortSignal;
}

type Finding = Omit<Probe, "name">;
type Check = (context: ProbeContext) => Promise<Finding>;

const CHECKS: readonly { name: string; check: Check }[] = [
  { name: "namespace tools", check: checkTools },
  { name: "OCI runtime", check: checkRuntime },
  { name: "packet filter", check: checkPacketFilter },
  { name: "state directory", check: checkStateDirectory },
  { name: "sandbox", check: (context) => checkSandbox(context, "namespaces") },
  { name: "gVisor", check: checkSentry },
  { name: "cpu and memory limits", check: checkLimits },
  { name: "file transfer by SSH", check: checkFileTransfer },
];

/** Tries each part of what a sandbox needs, at last all of it together in a sandbox that runs a program. */
export async function probeMachine(context: ProbeContext): Promise<readonly Probe[]> {
  const probes: Probe[] = [];
  for (const { name, check } of CHECKS) {
    context.signal.throwIfAborted();
    probes.push({ name, ...(await performed(check, context)) });
  }
  return probes;
}

async function performed(check: Check, context: ProbeContext): Promise<Finding> {
  try {
    return await check(context);
  } catch (error) {
    const { message, hint } = asCattlegridError(error);
    return { status: "missing", detail: message, ...withRemedy(hint) };
  }
}

function withRemedy(hint: string): { remedy?: string } {
  const remedy = commandIn(hint);
  return remedy === undefined ? {} : { remedy };
}

/** The command that a hint shows between backquotes; `doctor` itself would be no remedy. */
function commandIn(hint: string): string | undefined {
  const command = /`([^`]+)`/.exec(hint)?.[1];
  return command?.startsWith("cattlegrid ") ? undefined : command;
}

async function checkTools(): Promise<Finding> {
  const missing = ["unshare", "nsenter"].filter((name) => findSystemProgram(name) === undefined);
  if (missing.length === 0) return { status: "ok", detail: "unshare and nsenter are installed" };
  return {
    status: "missing",
    detail: `${missing.join(" and ")} not installed`,
    remedy: "sudo apt-get install util-linux",
  };
}

/** Which of several is used, the row of the sandbox says. */
async function checkRuntime({ programs = {} }: ProbeContext): Promise<Finding> {
  const found = findContainerRuntimes(inspectMachine(), programs);
  const versions = await Promise.all(found.map(({ program }) => readRuntimeVersion(program)));
  return { status: "ok", detail: versions.join(", else ") };
}

async function checkPacketFilter(): Promise<Finding> {
  openNftables();
  return { status: "ok", detail: "libnftables can be loaded" };
}

async function checkStateDirectory({ stateDirectory }: ProbeContext): Promise<Finding> {
  openDirectories(stateDirectory);
  return { status: "ok", detail: `${stateDirectory} is on a local disk` };
}

/** With a workspace, as that is what some file systems do not allow. */
function checkSandbox(context: ProbeContext, isolation: Isolation): Promise<Finding> {
  return tryWorkspace(
    { ...context, isolation },
    ({ facts }) => `a sandbox started under ${String(facts["runtime"])} and wrote to its workspace`,
  );
}

/** Nobody needs it who does not ask for it. */
async function checkSentry(context: ProbeContext): Promise<Finding> {
  const { lacking } = await context.provider.capabilities(context.signal);
  const found = lacking?.find(({ isolation }) => isolation === "gvisor");
  const finding =
    found === undefined
      ? await performed((each) => checkSandbox(each, "gvisor"), context)
      : { status: "degraded" as const, detail: found.why, ...withRemedy(found.remedy) };
  return finding.status === "ok" ? finding : { ...finding, status: "degraded" };
}

async function checkLimits({ stateDirectory }: ProbeContext): Promise<Finding> {
  const place = findCgroupPlace(stateDirectory);
  if (place !== undefined) return { status: "ok", detail: `cgroup version ${place.version}` };
  return {
    status: "degraded",
    detail: "no cgroup can be made here: only the number of processes is limited",
    remedy: "systemd-run --user --scope --property=Delegate=yes cattlegrid daemon start",
  };
}

/** Sandboxes show this machine's own programs, of which an editor's or `scp`'s connection starts this one. */
async function checkFileTransfer(): Promise<Finding> {
  const server = SFTP_SERVERS.find(isExecutable);
  if (server !== undefined) return { status: "ok", detail: `${server} is there for sandboxes` };
  return {
    status: "degraded",
    detail: "no sftp-server: editors and `scp` cannot copy files by SSH; `cattlegrid cp` can",
    remedy: "sudo apt-get install openssh-sftp-server",
  };
}
