import { closeSync } from "node:fs";
import { openPipe } from "../../../../platform/native/descriptor.ts";
import type { ExtraDescriptor } from "./process-specification.ts";
import type { LaunchDescriptor } from "../../../../platform/process-launcher.ts";

/** The pipes that a program on a terminal gets besides it. Owns both ends until they are given and taken. */
export class ExtraPipes {
  /** In the order in which the program finds them. */
  readonly descriptors: readonly LaunchDescriptor[];
  /** Our ends. */
  readonly #kept = new Map<ExtraDescriptor, number>();
  readonly #given: number[] = [];

  constructor(names: readonly ExtraDescriptor[]) {
    this.descriptors = names.map((name) => (name === "gate" ? "channel" : this.#open(name)));
  }

  /** The program's ends are with the program. */
  closeGiven(): void {
    for (const fd of this.#given.splice(0)) closeSync(fd);
  }

  /** Our end, which the caller now owns. */
  take(name: ExtraDescriptor): number | undefined {
    const fd = this.#kept.get(name);
    this.#kept.delete(name);
    return fd;
  }

  /** Closes what nobody took. */
  close(): void {
    this.closeGiven();
    for (const fd of this.#kept.values()) closeSync(fd);
    this.#kept.clear();
  }

  #open(name: ExtraDescriptor): number {
    const { readFd, writeFd } = openPipe();
    const [given, kept] = name === "errors" ? [writeFd, readFd] : [readFd, writeFd];
    this.#given.push(given);
    this.#kept.set(name, kept);
    return given;
  }
}
