import { setImmediate as nextTurn } from "node:timers/promises";
import type { ReadStream, WriteStream } from "node:tty";
import { spawnProcess } from "./process.ts";
import { TerminalModes } from "./terminal-modes.ts";

/**
 * The caller's terminal while another program's bytes go through it: every key is passed on, no byte of output is
 * changed. `dispose` puts everything back, and so does any other way in which this process ends.
 */
export class RawTerminal implements Disposable {
  readonly #input: ReadStream;
  readonly #output: WriteStream;
  readonly #modes = new TerminalModes();
  readonly #restore = (): void => this[Symbol.dispose]();
  /** A shell sets the terminal its own way while this process is stopped. */
  readonly #resume = (): void => {
    this.#input.setRawMode(false);
    void this.#makeRaw();
  };
  #isRaw = false;

  private constructor(input: ReadStream, output: WriteStream) {
    this.#input = input;
    this.#output = output;
  }

  /** Resolves once what was typed before is read and forgotten, so that it answers no later question. */
  static async open(input: ReadStream, output: WriteStream): Promise<RawTerminal> {
    const terminal = new RawTerminal(input, output);
    await terminal.#enter();
    await terminal.#forgetInput();
    return terminal;
  }

  /** Watches what goes to the terminal for modes that the program may leave switched on. */
  watch(bytes: Uint8Array): void {
    this.#modes.push(bytes);
  }

  /** The sequences that bring the terminal back to how it was before anything was shown. */
  undoModes(): string {
    return this.#modes.undo();
  }

  [Symbol.dispose](): void {
    if (!this.#isRaw) return;
    this.#isRaw = false;
    process.off("exit", this.#restore);
    process.off("SIGCONT", this.#resume);
    const undo = this.#modes.undo();
    if (undo !== "") this.#output.write(undo);
    this.#input.setRawMode(false);
    this.#input.pause();
  }

  async #enter(): Promise<void> {
    this.#isRaw = true;
    process.once("exit", this.#restore);
    process.on("SIGCONT", this.#resume);
    await this.#makeRaw();
  }

  async #makeRaw(): Promise<void> {
    this.#input.setRawMode(true);
    // Node leaves the line discipline adding a carriage return to each line feed, which moves the cursor of a
    // full-screen program. `setRawMode(false)` puts this back together with the rest.
    await stopOutputProcessing(this.#input);
  }

  /** What the terminal holds at this moment arrives within one turn of the event loop; the second is for safety. */
  async #forgetInput(): Promise<void> {
    const forget = (): undefined => undefined;
    this.#input.on("data", forget);
    this.#input.resume();
    await nextTurn();
    await nextTurn();
    this.#input.pause();
    this.#input.off("data", forget);
  }
}

/** A machine without `stty` keeps the carriage returns; a terminal that is gone is noticed by who reads it. */
async function stopOutputProcessing(input: ReadStream): Promise<void> {
  const child = spawnProcess(["stty", "-opost"], { stdio: [input, "ignore", "ignore"] });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  child.once("close", () => resolve());
  child.once("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") resolve();
    else reject(error);
  });
  await promise;
}
