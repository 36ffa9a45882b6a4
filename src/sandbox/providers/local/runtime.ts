import { closeSync, readFileSync, writeFileSync } from "node:fs";
import { Socket } from "node:net";
import { join } from "node:path";
import { assert, CattlegridError } from "../../../errors/error.ts";
import { openPipe } from "../../../platform/native/descriptor.ts";
import type { ProcessLauncher } from "../../../platform/process-launcher.ts";
import { readIfPresent, type SandboxFiles } from "./runtime-files.ts";

/** The runtime leaves cgroups alone: who starts it puts it into one first. */
export const RUNTIME_OPTIONS = ["--cgroup-manager=disabled"];

/** What `crun run` needs to start a sandbox's first process. */
export interface RunPlan {
  launcher: ProcessLauncher;
  enter: readonly string[];
  runtime: string;
  files: SandboxFiles;
  containerId: string;
  configuration: object;
}

export interface StartedContainer {
  /** The first process, in the keeper's numbering. */
  pid: number;
  stateRoot: string;
  /** Resolves when the first process is dead: nothing else holds its standard output. */
  died: Promise<void>;
}

/** Starts the container in the background; rejects with SANDBOX_START_FAILED and what the runtime said. */
export async function runContainer(plan: RunPlan): Promise<StartedContainer> {
  const { directory } = plan.files;
  const stateRoot = join(directory, "crun");
  const pidFile = join(directory, "pid");
  const log = join(directory, "log");
  writeFileSync(join(directory, "config.json"), JSON.stringify(plan.configuration));
  const { code, died } = await runRuntime(plan.launcher, [
    ...plan.enter,
    plan.runtime,
    `--root=${stateRoot}`,
    `--log=${log}`,
    ...RUNTIME_OPTIONS,
    "run",
    // One keyring per sandbox would meet the quota of 200 per user.
    "--no-new-keyring",
    "--detach",
    `--bundle=${directory}`,
    `--pid-file=${pidFile}`,
    plan.containerId,
  ]);
  if (code !== 0) throw startFailure(readIfPresent(log), code);
  const pid = Number(readFileSync(pidFile, "utf8"));
  assert(Number.isSafeInteger(pid) && pid > 1, "the runtime wrote no process number");
  return { pid, stateRoot, died };
}

/** Resolves when the runtime has ended; what it started may live on. */
async function runRuntime(
  launcher: ProcessLauncher,
  argv: readonly string[],
): Promise<{ code: number; died: Promise<void> }> {
  const nothingFd = openNothing();
  const { readFd, writeFd } = openPipe();
  const died = discard(readFd);
  // SECURITY: the first process keeps these descriptors, and the runtime makes the agent their owner. So none
  // of them is a terminal or a file of ours; as root, /dev/null here would become the agent's for everybody.
  const descriptors = [nothingFd, writeFd, nothingFd];
  const opened = [nothingFd, writeFd];
  try {
    const environment = { PATH: "/usr/bin:/bin" };
    const { exited } = await launcher.launch(argv, { descriptors, environment });
    for (const fd of opened.splice(0)) closeSync(fd);
    return { code: (await exited).code ?? 1, died };
  } finally {
    for (const fd of opened) closeSync(fd);
  }
}

/** A descriptor at its end: nothing can be read from it, nor written to it. */
function openNothing(): number {
  const { readFd, writeFd } = openPipe();
  closeSync(writeFd);
  return readFd;
}

/** The programs inside can write to the first process's output, so it is read and dropped. */
function discard(readFd: number): Promise<void> {
  const output = new Socket({ fd: readFd, readable: true, writable: false });
  output.resume();
  return new Promise((resolve) => void output.once("close", () => resolve()));
}

function startFailure(log: string, code: number): CattlegridError {
  const lines = log.split("\n").filter((line) => line.trim() !== "");
  const why = lines.at(-1) ?? `the runtime ended with status ${code}`;
  if (/No space left|Disk quota/i.test(why)) {
    return new CattlegridError("DISK_FULL", `The sandbox cannot start: ${why}`);
  }
  return new CattlegridError("SANDBOX_START_FAILED", `The sandbox cannot start: ${why}`);
}
