import { readFileSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { assert, CattlegridError } from "../../../errors/error.ts";
import { spawnProcess, type ChildProcess } from "../../../platform/process.ts";
import { readIfPresent, type SandboxFiles } from "./runtime-files.ts";

/** The runtime leaves cgroups alone: who starts it puts it into one first. */
export const RUNTIME_OPTIONS = ["--cgroup-manager=disabled"];

/** What `crun run` needs to start a sandbox's first process. */
export interface RunPlan {
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
  const child = spawnProcess(
    [
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
    ],
    {
      cwd: "/",
      // SECURITY: the first process keeps these descriptors, so none of them is a terminal or a file of ours.
      stdio: ["ignore", "pipe", "ignore"],
      environment: { PATH: "/usr/bin:/bin" },
    },
  );
  const died = discard(child);
  const code = await exitOf(child);
  if (code !== 0) throw startFailure(readIfPresent(log), code);
  const pid = Number(readFileSync(pidFile, "utf8"));
  assert(Number.isSafeInteger(pid) && pid > 1, "the runtime wrote no process number");
  return { pid, stateRoot, died };
}

/** The programs inside can write to the first process's output, so it is read and dropped. */
function discard(child: ChildProcess): Promise<void> {
  const output: Readable | null = child.stdout;
  assert(output !== null, "the runtime has no output");
  output.resume();
  return new Promise((resolve) => void output.once("close", resolve));
}

async function exitOf(child: ChildProcess): Promise<number> {
  const [code] = (await once(child, "exit")) as [number | null];
  return code ?? 1;
}

function startFailure(log: string, code: number): CattlegridError {
  const lines = log.split("\n").filter((line) => line.trim() !== "");
  const why = lines.at(-1) ?? `the runtime ended with status ${code}`;
  if (/No space left|Disk quota/i.test(why)) {
    return new CattlegridError("DISK_FULL", `The sandbox cannot start: ${why}`);
  }
  return new CattlegridError("SANDBOX_START_FAILED", `The sandbox cannot start: ${why}`);
}
