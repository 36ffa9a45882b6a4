import type { ReadStream, WriteStream } from "node:tty";
import { CattlegridError } from "../errors/error.ts";
import type { Paths } from "../platform/paths.ts";
import type { CastRecorder } from "../protocol/asciicast.ts";
import type { TerminalSize } from "../protocol/process.ts";

/** The shell that called this program: its environment and settings count, not those of the daemon's. */
export interface Caller {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly directory: string;
  readonly uid: number;
  readonly paths: Paths;
  readonly input: ReadStream;
  readonly output: WriteStream;
  readonly errors: WriteStream;
  /** Sees what a program inside shows, when this command records it into a file. */
  readonly recorder?: CastRecorder | undefined;
}

/** A PTY is used only where both ends are terminals, unless the flag says otherwise. */
export function wantsTerminal({ input, output }: Caller, flag: boolean | undefined): boolean {
  if (flag === true && !output.isTTY) {
    const message = "--tty needs a terminal on standard output.";
    throw new CattlegridError("USAGE", message, { hint: "Leave out --tty in a script." });
  }
  return flag ?? (input.isTTY && output.isTTY);
}

/** Whether a question can be asked: its text goes to stderr and its answer comes from stdin. */
export function canAsk({ input, errors }: Caller): boolean {
  return input.isTTY && errors.isTTY;
}

export function terminalSize({ output }: Caller): TerminalSize {
  return { columns: output.columns || 80, rows: output.rows || 24 };
}

const TERMINAL_VARIABLE = /^(TERM|COLORTERM|LANG|LANGUAGE|LC_[A-Z]+)$/;

/** What tells a program how to talk to the caller's terminal, and in which language. */
export function terminalEnvironment({ environment }: Caller): Record<string, string> {
  const entries = Object.entries(environment).filter(([name]) => TERMINAL_VARIABLE.test(name));
  return Object.fromEntries(entries.map(([name, value]) => [name, value ?? ""]));
}

/** Resolves when the stream has taken `bytes`; a reader that has gone away is no error of ours. */
export async function write(
  stream: NodeJS.WritableStream,
  bytes: string | Uint8Array,
): Promise<boolean> {
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  stream.write(bytes, (error) => {
    if (error === null || error === undefined) resolve(true);
    else if (isReaderGone(error)) resolve(false);
    else reject(error);
  });
  return promise;
}

const READER_GONE = new Set(["EPIPE", "EIO", "ECONNRESET", "ERR_STREAM_DESTROYED", "EBADF"]);

/** A closed pipe (EPIPE) or a closed terminal (EIO). */
export function isReaderGone(error: unknown): boolean {
  return READER_GONE.has(String((error as NodeJS.ErrnoException).code));
}

/** Prose for the person who watches; never data. */
export function tell(caller: Caller, text: string): void {
  caller.errors.write(`${text}\n`);
}
