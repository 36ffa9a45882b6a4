import { randomBytes } from "node:crypto";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { asCattlegridError } from "../../../errors/error.ts";
import { openNftables } from "../../../platform/native/nftables.ts";
import { runProcess } from "../../../platform/process.ts";
import type { CaptureSockets, Probe, RunningSandbox, SandboxProvider } from "../../provider.ts";
import { findCgroupPlace } from "./cgroup.ts";
import { openDirectories } from "./directories.ts";
import { findTool } from "./machine.ts";

export interface ProbeContext {
  stateDirectory: string;
  provider: SandboxProvider;
  signal: AbortSignal;
}

type Check = (context: ProbeContext) => Promise<Omit<Probe, "name">>;

const CHECKS: readonly { name: string; check: Check }[] = [
  { name: "namespace tools", check: checkTools },
  { name: "OCI runtime", check: checkRuntime },
  { name: "packet filter", check: checkPacketFilter },
  { name: "state directory", check: checkStateDirectory },
  { name: "sandbox", check: checkSandbox },
  { name: "cpu and memory limits", check: checkLimits },
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

async function performed(check: Check, context: ProbeContext): Promise<Omit<Probe, "name">> {
  try {
    return await check(context);
  } catch (error) {
    const { message, hint } = asCattlegridError(error);
    const remedy = commandIn(hint);
    return { status: "missing", detail: message, ...(remedy === undefined ? {} : { remedy }) };
  }
}

/** The command that a hint shows between backquotes; `doctor` itself would be no remedy. */
function commandIn(hint: string): string | undefined {
  const command = /`([^`]+)`/.exec(hint)?.[1];
  return command?.startsWith("cattlegrid ") ? undefined : command;
}

async function checkTools(): Promise<Omit<Probe, "name">> {
  const missing = ["unshare", "nsenter"].filter((name) => findTool(name) === undefined);
  if (missing.length === 0) return { status: "ok", detail: "unshare and nsenter are installed" };
  return {
    status: "missing",
    detail: `${missing.join(" and ")} not installed`,
    remedy: "sudo apt-get install util-linux",
  };
}

async function checkRuntime(): Promise<Omit<Probe, "name">> {
  const crun = findTool("crun");
  if (crun === undefined) {
    return {
      status: "missing",
      detail: "crun is not installed",
      remedy: "sudo apt-get install crun",
    };
  }
  const { stdout } = await runProcess([crun, "--version"], { environment: {} });
  return { status: "ok", detail: stdout.split("\n", 1)[0] ?? "crun" };
}

async function checkPacketFilter(): Promise<Omit<Probe, "name">> {
  openNftables();
  return { status: "ok", detail: "libnftables can be loaded" };
}

async function checkStateDirectory({ stateDirectory }: ProbeContext): Promise<Omit<Probe, "name">> {
  openDirectories(stateDirectory);
  return { status: "ok", detail: `${stateDirectory} is on a local disk` };
}

/** With a workspace, as that is what some file systems do not allow. */
async function checkSandbox(context: ProbeContext): Promise<Omit<Probe, "name">> {
  const { provider, stateDirectory, signal } = context;
  const id = `probe-${randomBytes(6).toString("hex")}`;
  const path = join(stateDirectory, id);
  const specification = {
    id,
    name: "probe",
    workspace: { path, mode: "direct" as const },
    protectedPaths: [],
    homeLayers: [],
    toolchains: [],
    environment: {},
    certificates: [],
    limits: {},
  };
  const taken: CaptureSockets[] = [];
  let sandbox: RunningSandbox | undefined;
  await mkdir(path, { recursive: true });
  try {
    await provider.create(specification, signal);
    const onCapture = (sockets: CaptureSockets): void => void taken.push(sockets);
    sandbox = await provider.start(specification, { onCapture }, signal);
    const program = await sandbox.exec({ argv: ["touch", "made"] }, signal);
    program.input.end();
    program.output.resume();
    program.errors?.resume();
    const { code } = await program.ended;
    if (code === 0) return { status: "ok", detail: "a sandbox started and wrote to its workspace" };
    return { status: "missing", detail: `a program in a sandbox ended with status ${code}` };
  } finally {
    await sandbox?.stop();
    for (const { tcp, udp } of taken) {
      tcp.close();
      for (const socket of udp) socket.close();
    }
    await provider.destroy(id);
    await rm(path, { recursive: true, force: true });
  }
}

async function checkLimits({ stateDirectory }: ProbeContext): Promise<Omit<Probe, "name">> {
  const place = findCgroupPlace(stateDirectory);
  if (place !== undefined) return { status: "ok", detail: `cgroup version ${place.version}` };
  return {
    status: "degraded",
    detail: "no cgroup can be made here: only the number of processes is limited",
    remedy: "systemd-run --user --scope --property=Delegate=yes cattlegrid daemon start",
  };
}
