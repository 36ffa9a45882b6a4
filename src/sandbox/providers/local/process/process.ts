import { constants } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import type { Readable, Writable } from "node:stream";
import { ERROR_CODES } from "../../../../errors/codes.ts";
import type { CattlegridError } from "../../../../errors/error.ts";
import type { ProcessEnding, ProcessRequest, SandboxProcess } from "../../../process.ts";
import { startOnOwnTerminal } from "./own-terminal.ts";
import { startPiped } from "./piped-process.ts";
import { isTooEarly } from "./process-failure.ts";
import type { ExecTarget } from "./exec-target.ts";
import type { ClientExit } from "../runtimes/runtime-client.ts";
import { explainProblem, type ProcessStart, type StartedProgram } from "./started-program.ts";
import { startInTerminal } from "./terminal-process.ts";

const TOO_EARLY_RETRIES = 100;
const TOO_EARLY_PAUSE_MS = 5;

/**
 * Runs a program in a running container. Throws COMMAND_NOT_FOUND, COMMAND_NOT_EXECUTABLE, DIRECTORY_MISSING,
 * COMMAND_ARGUMENT_TOO_LONG, SANDBOX_NOT_RUNNING, INTERRUPTED; then nothing runs. Where only the kernel can
 * tell that a file cannot be executed (a missing interpreter), the process ends with 126 or 127 and says why.
 */
export async function execProcess(
  target: ExecTarget,
  request: ProcessRequest,
  signal: AbortSignal,
): Promise<SandboxProcess> {
  const start = { target, request, signal };
  return new ContainerProcess(await startProgram(start, TOO_EARLY_RETRIES), start);
}

async function startProgram(start: ProcessStart, retries: number): Promise<StartedProgram> {
  try {
    if (start.request.terminal === undefined) return await startPiped(start);
    return start.target.runtime.terminals === "ours"
      ? await startOnOwnTerminal(start)
      : await startInTerminal(start);
  } catch (error) {
    if (retries === 0 || !isTooEarly(error)) throw error;
  }
  await delay(TOO_EARLY_PAUSE_MS);
  return startProgram(start, retries - 1);
}

class ContainerProcess implements SandboxProcess {
  readonly output: Readable;
  readonly errors: Readable | undefined;
  readonly input: Writable;
  readonly ended: Promise<ProcessEnding>;
  readonly #program: StartedProgram;
  #wasKilled = false;

  constructor(program: StartedProgram, start: ProcessStart) {
    this.#program = program;
    this.output = program.output;
    this.errors = program.errors;
    this.input = program.input;
    this.ended = this.#watch(start);
  }

  resize(size: { columns: number; rows: number }): void {
    if (!this.#program.client.hasExited) this.#program.resize(size);
  }

  async signal(name: NodeJS.Signals): Promise<void> {
    const { client } = this.#program;
    if (client.group === undefined || client.hasExited) return;
    await client.group.signal(name, this.#program.foregroundGroup());
  }

  async kill(): Promise<void> {
    this.#wasKilled = true;
    await this.#program.client.kill();
    this.#endStreams();
  }

  async #watch(start: ProcessStart): Promise<ProcessEnding> {
    const { client, output, errors, input } = this.#program;
    const exit = await client.exited;
    const failure = this.#lateFailure(start, exit);
    if (failure !== undefined) (errors ?? output).explain(`${failure.message}\n`);
    this.#program.letGo();
    this.#endStreams();
    await Promise.all([output.done, errors?.done]);
    input.destroy();
    client.close();
    return failure === undefined
      ? readEnding(exit)
      : { kind: "exited", code: ERROR_CODES[failure.code].exitCode };
  }

  /** The runtime announces the program before it executes it, and has nothing to complain of if that works. */
  #lateFailure(start: ProcessStart, { code }: ClientExit): CattlegridError | undefined {
    const text = this.#program.client.problem;
    if (code === 0 || text === "" || this.#wasKilled) return undefined;
    return explainProblem(start, text);
  }

  #endStreams(): void {
    this.#program.output.endProgram(this.#wasKilled);
    this.#program.errors?.endProgram(this.#wasKilled);
  }
}

/** The runtime reports 128 + N for signal N, as a shell does; what a program itself returns above 128 reads alike. */
function readEnding({ code, isLost }: ClientExit): ProcessEnding {
  if (isLost) {
    return { kind: "lost", code: 125, reason: "the container runtime ended before the program" };
  }
  const signal = Object.entries(constants.signals).find(([, number]) => number === code - 128)?.[0];
  return signal === undefined || code <= 128
    ? { kind: "exited", code }
    : { kind: "signalled", code, signal };
}
