import { closeSync, constants, openSync } from "node:fs";
import { Socket } from "node:net";
import { openSocketPair } from "./native/descriptor.ts";
import { reapProcess, spawnWithoutFork, type ProcessExit } from "./native/spawn.ts";

/** A descriptor of ours that the program gets too, a two-way channel between it and us, or /dev/null. */
export type LaunchDescriptor = number | "channel" | "null";

export interface LaunchOptions {
  /** The program's 0, 1, 2 and so on. */
  descriptors: readonly LaunchDescriptor[];
  environment: Readonly<Record<string, string>>;
  /** Default false. */
  ownSession?: boolean;
}

export interface LaunchedProcess {
  pid: number;
  /** Never rejects. */
  exited: Promise<ProcessExit>;
  /** Our end of each channel, by the program's descriptor. */
  channels: ReadonlyMap<number, Socket>;
}

/**
 * Starts programs in the directory `/` in a fraction of the time that Node takes, which grows with the memory of
 * this process. It is for what is started again and again; anything else goes through `spawnProcess`.
 */
export class ProcessLauncher {
  readonly #running = new Map<number, (exit: ProcessExit) => void>();
  readonly #reap = (): void => {
    for (const [pid, resolve] of this.#running) {
      const exit = reapProcess(pid);
      if (exit === undefined) continue;
      this.#running.delete(pid);
      resolve(exit);
    }
    if (this.#running.size === 0) process.off("SIGCHLD", this.#reap);
  };

  /**
   * Rejects with the system's error when the program cannot be executed. Descriptors that are numbers are the caller's
   * to close, once this has settled.
   */
  async launch(argv: readonly string[], options: LaunchOptions): Promise<LaunchedProcess> {
    const { environment, ownSession = false } = options;
    const given = new GivenDescriptors(options.descriptors);
    const { descriptors, channels } = given;
    try {
      const plan = { argv, environment, directory: "/", descriptors, ownSession };
      const pid = await spawnWithoutFork(plan);
      return { pid, exited: this.#watch(pid), channels };
    } catch (error) {
      for (const channel of given.channels.values()) channel.destroy();
      throw error;
    } finally {
      given.close();
    }
  }

  #watch(pid: number): Promise<ProcessExit> {
    const { promise, resolve } = Promise.withResolvers<ProcessExit>();
    if (this.#running.size === 0) process.on("SIGCHLD", this.#reap);
    this.#running.set(pid, resolve);
    // It may have ended before anybody listened.
    this.#reap();
    return promise;
  }
}

/** What a program is given, as numbers. Owns its ends of what was opened for it. */
class GivenDescriptors {
  readonly descriptors: readonly number[];
  readonly channels = new Map<number, Socket>();
  readonly #opened: number[] = [];

  constructor(wanted: readonly LaunchDescriptor[]) {
    this.descriptors = wanted.map((each, target) =>
      typeof each === "number" ? each : this.#open(each, target),
    );
  }

  close(): void {
    for (const fd of this.#opened.splice(0)) closeSync(fd);
  }

  #open(wanted: "channel" | "null", target: number): number {
    const fd = wanted === "null" ? openSync("/dev/null", constants.O_RDWR) : this.#pair(target);
    this.#opened.push(fd);
    return fd;
  }

  #pair(target: number): number {
    const [ours, theirs] = openSocketPair();
    this.channels.set(target, new Socket({ fd: ours, readable: true, writable: true }));
    return theirs;
  }
}
