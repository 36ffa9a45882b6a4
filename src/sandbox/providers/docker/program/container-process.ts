import type { Readable, Writable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { CattlegridError } from "../../../../errors/error.ts";
import { endingOf } from "../../../guest/shell-status.ts";
import { checkRequest, explainAnnouncement } from "../../../guest/program-start.ts";
import { NOTHING_LEFT, signalSession } from "../../../guest/session-signal.ts";
import type { ProcessEnding, ProcessRequest, SandboxProcess } from "../../../process.ts";
import { AttachedProgram, type ProgramEnd, type ProgramStart } from "./attached-program.ts";
import type { Engine } from "../engine/engine.ts";
import { scriptFor } from "./exec-script.ts";
import { ProgramInput } from "./program-input.ts";

const KILL_PAUSE_MS = 20;
const KILL_PAUSE_MS_MAX = 500;
/** How long what was left behind may keep a stream open. */
const LEFT_BEHIND_MS = 500;
const NEVER: AbortSignal = new AbortController().signal;

/** Where programs are started. */
export interface ExecTarget {
  engine: Engine;
  containerId: string;
  user: string;
  /** Who is root inside, where somebody may be. */
  rootUser?: string;
  /** What every program is given that the container has not. */
  environment?: Readonly<Record<string, string>>;
  /** The directory in which a program starts unless it says otherwise. */
  cwd: string;
  /** Aborted when the container is gone. */
  gone: AbortSignal;
}

/**
 * Runs a program in a running container. Throws COMMAND_NOT_FOUND, COMMAND_NOT_EXECUTABLE, DIRECTORY_MISSING,
 * COMMAND_ARGUMENT_TOO_LONG, SANDBOX_NOT_RUNNING, INTERRUPTED; then nothing runs.
 */
export async function execProcess(
  place: ExecTarget,
  request: ProcessRequest,
  signal: AbortSignal,
): Promise<SandboxProcess> {
  checkRequest(request);
  const target = as(place, request);
  if (signal.aborted) {
    throw new CattlegridError("INTERRUPTED", "Starting the program was interrupted.");
  }
  const cwd = request.cwd ?? target.cwd;
  const { terminal, inputBytes } = request;
  const hasTerminal = terminal !== undefined;
  const wantsErrors = terminal?.separateErrors === true;
  const wantsInput = hasTerminal && inputBytes !== undefined;
  const pipe = (token: string, name: string): string => `/tmp/.cattlegrid-${token}-${name}`;
  let used = "";
  const program = await startIn(target, {
    environment: listVariables(target, request),
    hasTerminal,
    script(token) {
      used = token;
      return scriptFor({
        request,
        cwd,
        token,
        ...(wantsErrors ? { errorsPath: pipe(token, "errors") } : {}),
        ...(wantsInput ? { inputPath: pipe(token, "input") } : {}),
      });
    },
  });
  try {
    const { word, leader } = await program.announced(signal);
    const failure = explainAnnouncement(word, { program: request.argv[0] ?? "", cwd });
    if (failure !== undefined) throw failure;
    const [reader] = await Promise.all([
      wantsErrors ? openPipe(target, pipe(used, "errors"), "read") : undefined,
      wantsInput ? feed(target, pipe(used, "input"), inputBytes) : undefined,
    ]);
    const process = new ContainerProcess({ target, program, leader, reader, hasTerminal });
    if (!hasTerminal && inputBytes !== undefined) process.input.end(inputBytes);
    return process;
  } catch (error) {
    void abandon(target, program);
    throw error;
  }
}

async function startIn(
  { engine, containerId, user, gone }: ExecTarget,
  start: Pick<ProgramStart, "environment" | "hasTerminal" | "script">,
): Promise<AttachedProgram> {
  const program = await AttachedProgram.start({ engine, containerId, user, ...start }, NEVER);
  // An engine does not always end the stream of a program whose container it has removed.
  const letGo = (): void => void setTimeout(() => program.destroy(), LEFT_BEHIND_MS);
  if (gone.aborted) letGo();
  gone.addEventListener("abort", letGo, { once: true });
  void program.ended.then(() => gone.removeEventListener("abort", letGo));
  return program;
}

/** The other end of a pipe with a name, on which a program waits; the name goes. */
async function openPipe(
  target: ExecTarget,
  path: string,
  way: "read" | "write",
): Promise<AttachedProgram> {
  const script =
    way === "read" ? 'exec <"$1"; rm -f -- "$1"; exec cat' : 'exec >"$1"; rm -f -- "$1"; exec cat';
  const request = { argv: ["/bin/sh", "-c", script, "sh", path] };
  const program = await startIn(target, {
    environment: [],
    hasTerminal: false,
    script: (token) => scriptFor({ request, cwd: "/", token }),
  });
  await program.announced(NEVER);
  if (way === "read") program.socket.end();
  program.errors?.resume();
  return program;
}

async function feed(target: ExecTarget, path: string, bytes: Uint8Array): Promise<void> {
  const program = await openPipe(target, path, "write");
  program.output.resume();
  new ProgramInput(program.socket, "pipe").end(bytes);
}

/** SECURITY: only a sandbox that was made for it has a root to be. */
function as(target: ExecTarget, { root }: ProcessRequest): ExecTarget {
  if (root !== true) return target;
  if (target.rootUser !== undefined) return { ...target, user: target.rootUser };
  throw new CattlegridError("PROVIDER_UNSUPPORTED", "Nothing runs as root in this sandbox.");
}

/** SECURITY: by way of the engine's own socket; no command line and no file shows them. */
function listVariables(
  { environment: given }: ExecTarget,
  { environment, secrets }: ProcessRequest,
): readonly string[] {
  const variables = { ...given, ...environment, ...secrets };
  return Object.entries(variables).map(([name, value]) => `${name}=${value}`);
}

/** Ends a start that came to nothing, as soon as it is known what is to be ended. */
async function abandon(target: ExecTarget, program: AttachedProgram): Promise<void> {
  try {
    const { leader } = await program.announced(NEVER);
    await killSession(target, leader);
  } catch (error) {
    // Nothing was started, or nothing runs any more.
    if (!CattlegridError.is(error)) throw error;
  } finally {
    program.destroy();
  }
}

/** Resolves when nothing of the session runs. */
async function killSession(target: ExecTarget, leader: number): Promise<void> {
  for (let pauseMs = KILL_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, KILL_PAUSE_MS_MAX)) {
    if ((await runSignal(target, signalSession("SIGKILL", leader, "session"))) !== 0) return;
    await delay(pauseMs);
  }
}

/** The status of a command that is run for its effect; `NOTHING_LEFT` where there is no sandbox any more. */
async function runSignal(target: ExecTarget, argv: readonly string[]): Promise<number> {
  try {
    const program = await startIn(target, {
      environment: [],
      hasTerminal: false,
      script: (token) => scriptFor({ request: { argv }, cwd: "/", token }),
    });
    program.output.resume();
    program.errors?.resume();
    const end = await program.ended;
    return "code" in end ? end.code : NOTHING_LEFT;
  } catch (error) {
    if (CattlegridError.is(error)) return NOTHING_LEFT;
    throw error;
  }
}

interface ProcessParts {
  target: ExecTarget;
  program: AttachedProgram;
  leader: number;
  /** Carries the errors of a program on a terminal. */
  reader: AttachedProgram | undefined;
  hasTerminal: boolean;
}

class ContainerProcess implements SandboxProcess {
  readonly output: Readable;
  readonly errors: Readable | undefined;
  readonly input: Writable;
  readonly ended: Promise<ProcessEnding>;
  readonly #parts: ProcessParts;
  #hasEnded = false;

  constructor(parts: ProcessParts) {
    const { program, reader, hasTerminal } = parts;
    this.#parts = parts;
    this.output = program.output;
    this.errors = program.errors ?? reader?.output;
    this.input = new ProgramInput(program.socket, hasTerminal ? "terminal" : "pipe");
    this.ended = this.#watch();
  }

  resize(size: { columns: number; rows: number }): void {
    const { target, program } = this.#parts;
    if (this.#hasEnded) return;
    // One that has just ended has no size.
    target.engine.resizeExec(program.exec, size).catch(expectGone);
  }

  async signal(name: NodeJS.Signals): Promise<void> {
    if (this.#hasEnded) return;
    const { target, leader } = this.#parts;
    await runSignal(target, signalSession(name, leader, "groups"));
  }

  async kill(): Promise<void> {
    const { target, leader, program, reader } = this.#parts;
    await killSession(target, leader);
    await Promise.race([program.ended, delay(LEFT_BEHIND_MS, undefined, { ref: false })]);
    program.destroy();
    reader?.destroy();
    await this.ended;
  }

  async #watch(): Promise<ProcessEnding> {
    const { program, reader } = this.#parts;
    const end = await program.ended;
    this.#hasEnded = true;
    // Its own pipe ends with it, unless something that was left behind holds it.
    if (reader !== undefined)
      await Promise.race([reader.ended, delay(LEFT_BEHIND_MS, undefined, { ref: false })]);
    reader?.destroy();
    this.input.destroy();
    return readEnding(end);
  }
}

function readEnding(end: ProgramEnd): ProcessEnding {
  if ("lost" in end) return { kind: "lost", code: 125, reason: end.lost };
  return endingOf(end.code);
}

function expectGone(error: unknown): void {
  if (!CattlegridError.is(error)) throw error;
}
