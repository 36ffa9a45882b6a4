import type { Readable, Writable } from "node:stream";

export interface ProcessRequest {
  /** The program and its arguments; the program is looked up on PATH inside. Never a shell string. */
  argv: readonly string[];
  /** Default: the workspace, else the home directory. */
  cwd?: string;
  /** Laid over the sandbox's own environment. */
  environment?: Readonly<Record<string, string>>;
  /** SECURITY: laid over the environment of this process tree only; never stored, logged or on a command line. */
  secrets?: Readonly<Record<string, string>>;
  /** Present: the process has a controlling terminal. Absent: three pipes. */
  terminal?: {
    columns: number;
    rows: number;
    /** Output processing off: LF stays LF. Default false. */
    rawOutput?: boolean;
    /** stderr comes by a descriptor of its own instead of the terminal. Default false. */
    separateErrors?: boolean;
  };
  /**
   * As root inside, with what root may do there. SECURITY: only where the specification says `hasRoot`, and nothing of any
   * person is. Default: false.
   */
  root?: boolean;
  /** With `terminal`: bytes that the process reads as standard input instead of the terminal's. */
  inputBytes?: Uint8Array;
}

/** How a process ended. `code` is 128 + signal number when a signal ended it; `reason` is part of a sentence. */
export type ProcessEnding =
  | { kind: "exited"; code: number }
  | { kind: "signalled"; code: number; signal: string }
  | { kind: "lost"; code: 125; reason: string };

/** A process inside a sandbox. Its owner reads both streams to their end, then sees `ended`. */
export interface SandboxProcess {
  /** Terminal bytes, or stdout. Ends only after the last byte. */
  readonly output: Readable;
  /** stderr, when it has a descriptor of its own. */
  readonly errors: Readable | undefined;
  readonly input: Writable;
  /** Resolves after the program ended and every byte has been pushed into the streams. Never rejects. */
  readonly ended: Promise<ProcessEnding>;
  resize(size: { columns: number; rows: number }): void;
  /** Sends a signal to the whole process group. Does nothing once ended. */
  signal(name: NodeJS.Signals): Promise<void>;
  /** Hangs up and kills the group: nothing of it stays. Idempotent; resolves when it is gone. */
  kill(): Promise<void>;
}
