import { chmodSync, closeSync, writeFileSync } from "node:fs";
import { Socket } from "node:net";
import { join } from "node:path";
import { assert, CattlegridError } from "../../../../errors/error.ts";
import { openPipe } from "../../../../platform/native/descriptor.ts";
import type { ProcessLauncher } from "../../../../platform/process-launcher.ts";
import { RuntimeReport } from "../process/process-report.ts";
import type { SandboxFiles } from "./runtime-files.ts";
import type { OciRuntime } from "./oci-runtime.ts";

/** The runtime's descriptor for its report, behind the first process's three. */
const REPORT_FD = 3;

/** What the runtime needs to start a sandbox's first process. */
export interface RunPlan {
  launcher: ProcessLauncher;
  enter: readonly string[];
  program: string;
  runtime: OciRuntime;
  files: SandboxFiles;
  /** The bundle's directory and the runtime's state, as the runtime reaches them. */
  bundle: string;
  stateRoot: string;
  containerId: string;
  configuration: object;
}

export interface StartedContainer {
  /** The first process, in the keeper's numbering. */
  pid: number;
  /** Resolves when the first process is dead: nothing else holds its standard output. */
  died: Promise<void>;
}

/** Starts the container in the background; rejects with SANDBOX_START_FAILED and what the runtime said. */
export async function runContainer(plan: RunPlan): Promise<StartedContainer> {
  const { bundle, stateRoot, containerId } = plan;
  const configuration = join(plan.files.directory, "config.json");
  writeFileSync(configuration, JSON.stringify(plan.configuration));
  // The runtime's own user may be another one; the directory is for nobody else to enter.
  chmodSync(configuration, 0o644);
  const report = `/proc/self/fd/${REPORT_FD}`;
  const { program } = plan;
  const place = { program, stateRoot, bundle, containerId, pidFile: report, log: report };
  const argv = [...plan.enter, ...plan.runtime.run(place)];
  const { code, died, pid, problem } = await runRuntime(plan.launcher, argv);
  if (code !== 0) throw startFailure(problem, code);
  assert(pid !== undefined && pid > 1, "the runtime told no process number");
  return { pid, died };
}

interface RunOutcome {
  code: number;
  pid: number | undefined;
  problem: string;
  died: Promise<void>;
}

/** Resolves when the runtime has ended; what it started may live on. */
async function runRuntime(launcher: ProcessLauncher, argv: readonly string[]): Promise<RunOutcome> {
  const nothingFd = openNothing();
  const output = openPipe();
  const reported = openPipe();
  const report = new RuntimeReport(reported.readFd);
  const died = discard(output.readFd);
  // SECURITY: the first process keeps the first three, and the runtime makes the agent their owner. So none
  // of them is a terminal or a file of ours; as root, /dev/null here would become the agent's for everybody.
  const descriptors = [nothingFd, output.writeFd, nothingFd, reported.writeFd];
  const opened = [nothingFd, output.writeFd, reported.writeFd];
  try {
    const environment = { PATH: "/usr/bin:/bin" };
    const { exited } = await launcher.launch(argv, { descriptors, environment });
    for (const fd of opened.splice(0)) closeSync(fd);
    const code = (await exited).code ?? 1;
    return { code, died, pid: await report.started, problem: report.problem };
  } finally {
    for (const fd of opened) closeSync(fd);
    report.close();
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

function startFailure(problem: string, code: number): CattlegridError {
  const why = problem || `the runtime ended with status ${code}`;
  if (/No space left|Disk quota/i.test(why)) {
    return new CattlegridError("DISK_FULL", `The sandbox cannot start: ${why}`);
  }
  return new CattlegridError("SANDBOX_START_FAILED", `The sandbox cannot start: ${why}`);
}
