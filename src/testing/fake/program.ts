import type { Readable, Writable } from "node:stream";
import type { FakeFiles } from "./files.ts";

/** What a program of the fake has of its surroundings. */
export interface FakeRun {
  /** The program's name first. */
  argv: readonly string[];
  /** Secrets among them. */
  environment: Readonly<Record<string, string>>;
  /** The sandbox's name. */
  hostName: string;
  /** Absolute. */
  directory: string;
  files: FakeFiles;
  input: Readable;
  output: Writable;
  errors: Writable;
  /** Absent without a terminal. */
  terminal?: { columns: number; rows: number };
  /** Aborts when the process is signalled, killed, or its sandbox stopped. */
  signal: AbortSignal;
  /** Asks the sandbox's gateway for a name, as its policy decides: an address, or undefined when it is refused. */
  lookUp(name: string): Promise<string | undefined>;
}

/** A function in the place of a program; gives back its exit status. One that throws ends with status 1. */
export type FakeProgram = (run: FakeRun) => number | Promise<number>;
