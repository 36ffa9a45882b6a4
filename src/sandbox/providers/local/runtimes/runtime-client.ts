import { closeSync, ftruncateSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { CattlegridError } from "../../../../errors/error.ts";
import { hasErrno } from "../../../../platform/native/libc.ts";
import { openAnonymousFile, openPipe } from "../../../../platform/native/descriptor.ts";
import { exitCode } from "../../../../platform/process.ts";
import type { LaunchDescriptor, LaunchedProcess } from "../../../../platform/process-launcher.ts";
import type { ProgramGroup } from "../process/process-group.ts";
import { findProgramGroup } from "../process/program-group.ts";
import { RuntimeReport } from "../process/process-report.ts";
import type { ExecTarget } from "../process/exec-target.ts";

const START_TIMEOUT_MS = 30_000;
/** How long a start that is given up may take to tell which processes are to be killed. */
const ABANDON_TIMEOUT_MS = 1_000;
const SETSID = "/usr/bin/setsid";
const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

export interface ClientOptions {
  target: ExecTarget;
  /** The OCI process object. */
  specification: object;
  /** Standard input, output and errors of the client. Without a terminal they are the program's. */
  stdio: readonly [LaunchDescriptor, LaunchDescriptor, LaunchDescriptor];
  /** Given to the program from descriptor 3 on. */
  extras: readonly LaunchDescriptor[];
  consolePath?: string;
  /** The standard streams are a terminal that the client is to have as its own, to be told of its size and its end. */
  ownsTerminal?: boolean;
}

export interface ClientExit {
  code: number;
  /** The client itself was killed or never started, so that nobody knows what became of the program. */
  isLost: boolean;
}

/** One `exec` of the container runtime, which stays as long as the program runs. */
export class RuntimeClient {
  /** Undefined when it could not be started. */
  readonly child: LaunchedProcess | undefined;
  /** Never rejects. */
  readonly exited: Promise<ClientExit>;
  /** Resolves when the runtime is about to execute the program; never, if it does not come to that. */
  readonly started: Promise<void>;
  readonly #isStarted: Promise<boolean>;
  readonly #report: RuntimeReport;
  readonly #target: ExecTarget;
  readonly #spawnProblem: string;
  #group: ProgramGroup | undefined;
  #hasExited = false;

  private constructor(launch: Launch) {
    const { target, child, report, problem, processFd } = launch;
    this.#target = target;
    this.child = child;
    this.#report = report;
    this.#spawnProblem = problem;
    this.exited = this.#watchExit();
    this.#isStarted = this.#watchStart(processFd);
    this.started = new Promise((resolve) => {
      void this.#isStarted.then((isStarted) => isStarted && resolve());
    });
  }

  /** Resolves with a client that runs, or with one that has ended as it could not be started. */
  static async launch(options: ClientOptions): Promise<RuntimeClient> {
    // SECURITY: the process object holds secrets, so it lies in memory and never has a name; the runtime's
    // command line shows descriptor numbers only, and the program inherits neither descriptor.
    const processFd = openAnonymousFile(JSON.stringify(options.specification));
    const { readFd, writeFd } = openPipe();
    const report = new RuntimeReport(readFd);
    const { target } = options;
    try {
      const child = await launch(options, [processFd, writeFd]);
      return new RuntimeClient({ target, child, report, problem: "", processFd });
    } catch (error) {
      if (!CattlegridError.is(error)) throw error;
      const problem = error.message;
      return new RuntimeClient({ target, child: undefined, report, problem, processFd });
    } finally {
      closeSync(writeFd);
    }
  }

  get hasExited(): boolean {
    return this.#hasExited;
  }

  /** The program's processes; undefined when it had ended before anybody could look. */
  get group(): ProgramGroup | undefined {
    return this.#group;
  }

  /** What the runtime complained of so far. */
  get problem(): string {
    return this.#report.problem || this.#spawnProblem;
  }

  /** Resolves with `step`, unless the runtime ends before it started the program, or time or caller stop it. */
  async during<T>(step: Promise<T>, signal: AbortSignal): Promise<T> {
    const race = new AbortController();
    const stopped = AbortSignal.any([signal, race.signal]);
    const deadline = delay(START_TIMEOUT_MS, undefined, { signal: stopped }).then(
      () => {
        throw new CattlegridError("TIMED_OUT", "The program was not started in time.");
      },
      () => {
        throw new CattlegridError("INTERRUPTED", "Starting the program was interrupted.");
      },
    );
    const refused = this.#isStarted.then(async (isStarted) => {
      if (isStarted) return deadline;
      await this.exited;
      throw new CattlegridError("SANDBOX_START_FAILED", this.problem);
    });
    try {
      return await Promise.race([step, deadline, refused]);
    } finally {
      race.abort();
      await Promise.allSettled([deadline]);
    }
  }

  /** Kills the program with its session, and the client; resolves when all of it is gone. Idempotent. */
  async kill(): Promise<void> {
    if (this.#group === undefined) this.#killClient();
    else await this.#group.kill();
    await this.exited;
  }

  /** Ends a start that came to nothing. */
  async abandon(): Promise<void> {
    const patience = new AbortController();
    const { signal } = patience;
    const timeout = delay(ABANDON_TIMEOUT_MS, undefined, { signal }).catch(ignoreAbort);
    await Promise.race([this.#isStarted, timeout]);
    patience.abort();
    this.#killClient();
    await this.kill();
    this.#report.close();
  }

  /** Lets go of the runtime's messages. */
  close(): void {
    this.#report.close();
  }

  async #watchExit(): Promise<ClientExit> {
    const exit = await this.child?.exited;
    this.#hasExited = true;
    if (exit === undefined) return { code: 125, isLost: true };
    return { code: exitCode(exit.code, exit.signal), isLost: exit.signal !== null };
  }

  async #watchStart(processFd: number): Promise<boolean> {
    const pid = await this.#report.started;
    // The runtime has read it by now: whatever still refers to the file finds nothing.
    ftruncateSync(processFd);
    closeSync(processFd);
    if (pid === undefined || this.child === undefined) return false;
    this.#group = findProgramGroup(this.#target, this.child.pid, pid);
    return true;
  }

  #killClient(): void {
    if (this.#hasExited || this.child === undefined) return;
    try {
      process.kill(-this.child.pid, "SIGKILL");
    } catch (error) {
      // It has just ended, and nobody has told us yet.
      if (!hasErrno(error, "ESRCH")) throw error;
    }
  }
}

interface Launch {
  target: ExecTarget;
  child: LaunchedProcess | undefined;
  report: RuntimeReport;
  problem: string;
  processFd: number;
}

function launch(options: ClientOptions, own: readonly number[]): Promise<LaunchedProcess> {
  const { target, stdio, extras } = options;
  return target.launcher.launch(runtimeCommand(options), {
    descriptors: [...stdio, ...extras, ...own],
    environment: { PATH },
    // So that a terminal's signals pass it by and one signal ends all of it.
    ownSession: true,
  });
}

function runtimeCommand(options: ClientOptions): readonly string[] {
  const { target, extras, consolePath } = options;
  const { stateRoot, containerId } = target;
  const processFd = 3 + extras.length;
  return [
    ...target.enter,
    ...(options.ownsTerminal === true ? [SETSID, "--ctty"] : []),
    ...target.runtime.exec({
      program: target.program,
      stateRoot,
      containerId,
      processFd,
      reportFd: processFd + 1,
      extraCount: extras.length,
      ...(consolePath === undefined ? {} : { consolePath }),
    }),
  ];
}

function ignoreAbort(error: Error): void {
  if (error.name !== "AbortError") throw error;
}
