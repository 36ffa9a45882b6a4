import { spawn, type ChildProcess, type StdioOptions } from "node:child_process";
import { constants } from "node:os";
import { CattlegridError } from "../errors/error.ts";

export type { ChildProcess, StdioOptions };

export interface SpawnOptions {
  cwd?: string;
  /** The whole environment of the child. Default: this process's own. */
  environment?: Readonly<Record<string, string>>;
  /** Default: three pipes. */
  stdio?: StdioOptions;
  /** Its own session and process group, so that a terminal's signals pass it by. Default false. */
  detached?: boolean;
  /** Kills the child (SIGKILL) when aborted. */
  signal?: AbortSignal;
  /** Whom the child runs as, when this process is root. Default: as this process. */
  identity?: { uid: number; gid: number };
}

export interface RunOptions extends Omit<SpawnOptions, "stdio"> {
  /** Written to standard input, which then ends. Default: empty. */
  input?: string | Uint8Array;
}

export interface CompletedProcess<Output = string> {
  /** The exit status; 128 + signal number when a signal ended it. */
  code: number;
  stdout: Output;
  stderr: string;
}

/** Starts a program without a shell; `argv[0]` is looked up on PATH. */
export function spawnProcess(argv: readonly string[], options: SpawnOptions = {}): ChildProcess {
  const [program, ...rest] = argv;
  if (program === undefined) throw new CattlegridError("INTERNAL", "a command without a program");
  return spawn(program, rest, {
    stdio: options.stdio ?? "pipe",
    killSignal: "SIGKILL",
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.environment === undefined ? {} : { env: options.environment }),
    ...(options.detached === undefined ? {} : { detached: options.detached }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    ...options.identity,
  });
}

/** Runs a program to its end and keeps what it wrote. Fails only when it cannot be started or is aborted. */
export async function runProcess(
  argv: readonly string[],
  options: RunOptions = {},
): Promise<CompletedProcess> {
  const { stdout, ...rest } = await runForBytes(argv, options);
  return { ...rest, stdout: stdout.toString("utf8") };
}

/** As `runProcess`, for output that need not be text. */
export async function runForBytes(
  argv: readonly string[],
  options: RunOptions = {},
): Promise<CompletedProcess<Buffer>> {
  const { input, ...spawnOptions } = options;
  const child = spawnProcess(argv, { ...spawnOptions, stdio: "pipe" });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout?.on("data", (bytes: Buffer) => stdout.push(bytes));
  child.stderr?.on("data", (bytes: Buffer) => stderr.push(bytes));
  // A program may end without reading its input: EPIPE then says nothing that its exit status does not.
  child.stdin?.on("error", () => undefined);
  child.stdin?.end(input ?? "");
  const code = await new Promise<number>((resolve, reject) => {
    child.once("error", (error) => reject(startFailure(argv, error)));
    child.once("close", (exit, signal) => resolve(exitCode(exit, signal)));
  });
  return { code, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString("utf8") };
}

/** One number for both ways a process ends: the status, or 128 + signal number. */
export function exitCode(exit: number | null, signal: NodeJS.Signals | null): number {
  if (exit !== null) return exit;
  return signal === null ? 1 : 128 + constants.signals[signal];
}

function startFailure(argv: readonly string[], error: Error): Error {
  const code = (error as NodeJS.ErrnoException).code;
  if (code !== "ENOENT" && code !== "EACCES") return error;
  return new CattlegridError("DEPENDENCY_MISSING", `${argv[0]} is not installed`, { cause: error });
}
