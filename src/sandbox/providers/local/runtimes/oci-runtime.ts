import type { Isolation } from "../../../provider.ts";

/** Where one container is run; paths are those of the keeper's mount namespace. */
export interface RunPlace {
  stateRoot: string;
  bundle: string;
  /** Get the number of the first process, and complaints. */
  pidFile: string;
  log: string;
  containerId: string;
}

/** What `exec` is given; descriptors are the client's own. */
export interface ExecPlace {
  stateRoot: string;
  containerId: string;
  /** The OCI process object. */
  processFd: number;
  /** Gets the program's number once it is about to run, and complaints as JSON. */
  reportFd: number;
  /** Descriptors from 3 on that the program gets under the same numbers. */
  extraCount: number;
  /** Where the master of the program's terminal is sent, with a runtime that makes terminals. */
  consolePath?: string;
}

/** An OCI program, and what is its own about driving it. */
export interface OciRuntime {
  readonly name: "crun" | "runc" | "runsc";
  readonly isolation: Isolation;
  /** Whether an ordinary user has to have subordinate ids for it. */
  readonly needsRange: boolean;
  /** Who makes a program's terminal: the runtime, which sends its master, or we, who give it as standard streams. */
  readonly terminals: "runtime" | "ours";
  /** Arguments behind the program. */
  run(place: RunPlace): readonly string[];
  exec(place: ExecPlace): readonly string[];
}
