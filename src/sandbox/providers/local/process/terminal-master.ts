import { closeSync } from "node:fs";
import type { Writable } from "node:stream";
import {
  disableOutputProcessing,
  foregroundGroup,
  openPeer,
  readsLines,
  setWindowSize,
  stopWaiting,
  type WindowSize,
} from "../../../../platform/native/terminal.ts";
import { ProgramOutput } from "./program-output.ts";
import { TerminalInput } from "./terminal-input.ts";
import { readTerminal } from "./terminal-reader.ts";

/** Our side of a program's terminal. Owns the descriptor. */
export class TerminalMaster {
  readonly output: ProgramOutput;
  readonly input: Writable;
  readonly #fd: number;
  /**
   * As long as this is open the kernel does not hang up, though the program closes its terminal for a while or
   * has not opened it yet: the end of the output then comes after the end of the program.
   */
  #peerFd: number | undefined;

  constructor(fd: number) {
    this.#fd = fd;
    this.#peerFd = openPeer(fd);
    stopWaiting(fd);
    // For reading only: Node lets a write to a terminal hold up the whole process.
    this.output = new ProgramOutput(fd, (take) => readTerminal(fd, take));
    this.input = new TerminalInput(fd, {
      isOpen: () => this.#isOpen,
      readsLines: () => readsLines(fd),
    });
  }

  disableOutputProcessing(): void {
    disableOutputProcessing(this.#fd);
  }

  resize(size: WindowSize): void {
    if (this.#isOpen) setWindowSize(this.#fd, size);
  }

  /** The group that its keys reach, in this process's numbering. */
  foregroundGroup(): number | undefined {
    const group = this.#isOpen ? foregroundGroup(this.#fd) : 0;
    return group > 0 ? group : undefined;
  }

  /** From now on the output ends with its last writer. */
  letGo(): void {
    if (this.#peerFd === undefined) return;
    closeSync(this.#peerFd);
    this.#peerFd = undefined;
  }

  /** Hangs up. */
  close(): void {
    this.letGo();
    this.output.destroy();
    this.input.destroy();
  }

  get #isOpen(): boolean {
    return this.output.isOpen;
  }
}
