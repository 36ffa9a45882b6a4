import type { Isolation } from "../../../provider.ts";

/** Where one container is run; paths are those of the keeper's mount namespace. */
export interface RunPlace {
  program: string;
  stateRoot: string;
  bundle: string;
  /** Get the number of the first process, and complaints. */
  pidFile: string;
  log: string;
  containerId: string;
}

/** What `exec` is given; descriptors are the client's own. */
export interface ExecPlace {
  program: string;
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
  /** Whether it runs as another user than the agent, so that an ordinary user has to have subordinate ids for it. */
  readonly needsRange: boolean;
  /** Whether versions are about that do not hold a sandbox, so that nothing runs under one before a trial. */
  readonly needsTrial: boolean;
  /** Whether it binds a tree with all that is mounted in it, or each mount by an entry of its own. */
  readonly binds: "trees" | "mounts";
  /** Who mounts overlays; what a mount leaves behind belongs to whoever made it. */
  readonly overlays: "runtime" | "keeper";
  /** Who makes a program's terminal: the runtime, which sends its master, or we, who give it as standard streams. */
  readonly terminals: "runtime" | "ours";
  /** Whole commands. `exec` stays as long as the program runs and ends with its status. */
  run(place: RunPlace): readonly string[];
  exec(place: ExecPlace): readonly string[];
}
