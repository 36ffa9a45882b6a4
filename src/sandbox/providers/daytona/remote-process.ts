import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { CattlegridError } from "../../../errors/error.ts";
import type { Logger } from "../../../platform/logger.ts";
import { AttachedOutput } from "../../guest/attached-output.ts";
import { checkRequest } from "../../guest/program-start.ts";
import { endingOf } from "../../guest/shell-status.ts";
import type { ProcessEnding, ProcessRequest, SandboxProcess } from "../../process.ts";
import { ProgramFiles } from "./program-files.ts";
import { ProgramInput } from "./program-input.ts";
import { checkVariables, hasErrors, writeStart } from "./start-file.ts";
import { TranscriptFollower } from "./transcript-follower.ts";
import type { Toolbox } from "./toolbox.ts";
import { Transcript } from "./transcript.ts";

const KILL_PAUSE_MS = 50;
const KILL_PAUSE_MS_MAX = 1000;
/** How long a program that was killed may be shown to its end. */
const LEFT_BEHIND_MS = 15_000;

/** Where programs are started. */
export interface ExecTarget {
  toolbox: Toolbox;
  /** The directory of the guest program. */
  root: string;
  /** In which a program starts unless it says otherwise. */
  cwd: string;
  environment: Readonly<Record<string, string>>;
  /** Why the sandbox does not run any more; undefined when it does. Throws when that cannot be asked. */
  whyGone(): Promise<string | undefined>;
  /** Aborts when the sandbox has ended; with SANDBOX_LOST and why, when nobody here stopped it. */
  signal: AbortSignal;
  /** Resolves then. */
  stopped: Promise<void>;
  logger: Logger;
}

/**
 * Runs a program in a sandbox. Throws COMMAND_NOT_FOUND, COMMAND_NOT_EXECUTABLE, DIRECTORY_MISSING, REQUEST_INVALID,
 * COMMAND_ARGUMENT_TOO_LONG, IMAGE_UNSUITABLE, SANDBOX_NOT_RUNNING; then nothing runs.
 */
export async function execProcess(
  target: ExecTarget,
  request: ProcessRequest,
  signal: AbortSignal,
): Promise<SandboxProcess> {
  checkRequest(request);
  checkVariables(request);
  signal.throwIfAborted();
  const { toolbox, root, environment } = target;
  const cwd = request.cwd ?? target.cwd;
  const token = randomBytes(16).toString("hex");
  const files = new ProgramFiles(toolbox, root, randomBytes(8).toString("hex"));
  const start = writeStart({ request, cwd, environment, token });
  const either = AbortSignal.any([signal, target.signal]);
  try {
    if (request.inputBytes !== undefined) await files.giveInput(request.inputBytes, either);
    const program = request.argv[0] ?? "";
    const leader = await files.launch(start, { program, cwd }, either);
    return new RemoteProcess({ target, files, leader, request, token });
  } catch (error) {
    void abandon(target, files);
    throw error;
  }
}

/** Ends a start that came to nothing, whatever of it there is. */
async function abandon(
  { signal, logger, toolbox }: ExecTarget,
  files: ProgramFiles,
): Promise<void> {
  try {
    // Whoever launches after this finds it launched, and a program that runs is found by its leader's file.
    const script = `cd '${files.path}' 2>/dev/null || exit 0; mkdir started 2>/dev/null; sleep 0.2; cat leader 2>/dev/null`;
    const { output } = await toolbox.execute(script, signal);
    const leader = Number(output.trim());
    if (leader > 0) await killSession(files, leader, signal);
    await files.remove(signal);
  } catch (error) {
    logger.debug("a start that came to nothing left files", { error });
  }
}

async function killSession(
  files: ProgramFiles,
  leader: number,
  signal: AbortSignal,
): Promise<void> {
  for (let pauseMs = KILL_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, KILL_PAUSE_MS_MAX)) {
    if (!(await files.signal("SIGKILL", { leader, reach: "session" }, signal))) return;
    await delay(pauseMs, undefined, { signal });
  }
}

interface ProcessParts {
  target: ExecTarget;
  files: ProgramFiles;
  leader: number;
  request: ProcessRequest;
  token: string;
}

class RemoteProcess implements SandboxProcess {
  readonly output: AttachedOutput;
  readonly errors: AttachedOutput | undefined;
  readonly input: ProgramInput;
  readonly ended: Promise<ProcessEnding>;
  readonly #parts: ProcessParts;
  readonly #follower: TranscriptFollower;
  /** Aborts when the program has ended, or its sandbox has. */
  readonly #over = new AbortController();
  readonly #signal: AbortSignal;
  #resizing: Promise<void> = Promise.resolve();
  #wanted: { columns: number; rows: number } | undefined;

  constructor(parts: ProcessParts) {
    const { target, files, request, token } = parts;
    this.#parts = parts;
    this.#signal = AbortSignal.any([target.signal, this.#over.signal]);
    const onDrain = (): void => this.#follower.flow();
    this.output = new AttachedOutput(onDrain);
    this.errors = hasErrors(request) ? new AttachedOutput(onDrain) : undefined;
    const kind = request.terminal === undefined ? "pipe" : "terminal";
    this.input = new ProgramInput({ files, kind, signal: this.#signal });
    const { output, errors } = this;
    this.#follower = new TranscriptFollower({
      ...target,
      files,
      transcript: new Transcript(errors === undefined ? ["out"] : ["out", "err"], token),
      sinks: { out: output, ...(errors === undefined ? {} : { err: errors }) },
    });
    this.ended = this.#watch();
  }

  resize(size: { columns: number; rows: number }): void {
    const isUnderWay = this.#wanted !== undefined;
    this.#wanted = size;
    if (!isUnderWay) this.#resizing = this.#resizing.then(() => this.#resize());
  }

  async signal(name: NodeJS.Signals): Promise<void> {
    if (this.#signal.aborted) return;
    const { files, leader } = this.#parts;
    await this.#whileThere(files.signal(name, { leader, reach: "groups" }, this.#signal));
  }

  async kill(): Promise<void> {
    const { files, leader } = this.#parts;
    this.#follower.takeAll();
    if (!this.#signal.aborted) {
      await this.#whileThere(killSession(files, leader, this.#signal));
      await Promise.race([this.ended, delay(LEFT_BEHIND_MS, undefined, { ref: false })]);
      this.#follower.giveUp("it was killed, and its end did not arrive");
    }
    await this.ended;
  }

  async #watch(): Promise<ProcessEnding> {
    const end = await this.#follower.end;
    this.#over.abort();
    this.output.finish();
    this.errors?.finish();
    this.input.destroy();
    const { target, files } = this.#parts;
    if (!target.signal.aborted) void this.#clean(target, files);
    if ("code" in end) return endingOf(end.code);
    // What somebody here stops ends with it; what became of a program whose sandbox was taken away, nobody knows.
    const { aborted, reason } = target.signal;
    if (aborted && !CattlegridError.is(reason, "SANDBOX_LOST")) {
      return { kind: "signalled", code: 137, signal: "SIGKILL" };
    }
    return { kind: "lost", code: 125, reason: aborted ? reason.message : end.lost };
  }

  async #clean({ signal, logger }: ExecTarget, files: ProgramFiles): Promise<void> {
    try {
      await files.remove(signal);
    } catch (error) {
      logger.debug("files of a program stay inside until the next start", { error });
    }
  }

  /** Only the last of many sizes counts. */
  async #resize(): Promise<void> {
    const size = this.#wanted;
    this.#wanted = undefined;
    if (size === undefined || this.#signal.aborted) return;
    await this.#whileThere(this.#parts.files.resize(size.rows, size.columns, this.#signal));
  }

  /** What a program that has just ended cannot do any more. */
  async #whileThere(work: Promise<unknown>): Promise<void> {
    try {
      await work;
    } catch (error) {
      if (this.#signal.aborted || CattlegridError.is(error)) {
        this.#parts.target.logger.debug("a program could not be reached", { error });
        return;
      }
      throw error;
    }
  }
}
