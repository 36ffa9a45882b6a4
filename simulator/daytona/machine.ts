import type { Duplex, Readable, Writable } from "node:stream";

/** What a sandbox may reach, in the words of the API: comma-separated lists; all absent means everything. */
export interface Network {
  networkBlockAll: boolean;
  networkAllowList?: string | undefined;
  domainAllowList?: string | undefined;
}

/** What a machine is made of. */
export interface MachinePlan {
  id: string;
  name: string;
  network: Network;
  resources: { cpu: number; memoryGib: number };
}

export interface ProgramRequest {
  argv: readonly string[];
  /** Default: the home directory. */
  cwd?: string | undefined;
  environment?: Readonly<Record<string, string>> | undefined;
  /** Present: a controlling terminal, of which `output` has everything. Absent: pipes. */
  terminal?: { columns: number; rows: number };
}

export interface ProgramEnding {
  /** 128 + the signal's number when a signal ended it. */
  code: number;
  signal?: string;
}

/** A program that runs for real. */
export interface Program {
  readonly output: Readable;
  readonly errors: Readable | undefined;
  readonly input: Writable;
  /** Resolves after the last byte of both streams was pushed. Never rejects. */
  readonly ended: Promise<ProgramEnding>;
  resize(size: { columns: number; rows: number }): void;
  /** Ends the program and everything of its process group. */
  kill(): Promise<void>;
}

/** A place in which commands run: what stands for the virtual machine or container of one sandbox. */
export interface Machine {
  readonly user: string;
  readonly home: string;
  /** Rejects when the program cannot be started. */
  run(request: ProgramRequest): Promise<Program>;
  /** Connects to a port of the machine's own loopback; rejects when nothing listens. */
  connect(port: number): Promise<Duplex>;
  setNetwork(network: Network): void;
  /** Ends all programs; files stay. */
  stop(): Promise<void>;
}

/** Makes machines. The fake is handed one, so that it decides nothing about isolation. */
export interface Machines {
  start(plan: MachinePlan): Promise<Machine>;
  /** Removes the files of a stopped machine; absent is success. */
  remove(id: string): Promise<void>;
}
