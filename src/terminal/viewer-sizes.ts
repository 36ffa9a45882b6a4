import type { TerminalSize } from "../protocol/process.ts";

/**
 * Which size a terminal has when several viewers of different sizes look at it: that of the one who was active last, by joining,
 * typing or changing size. A program then always fits the window of whoever uses it.
 */
export class ViewerSizes {
  /** Least recently active first. */
  readonly #sizes = new Map<object, TerminalSize>();

  /** The viewer has joined, or its window has changed. */
  set(viewer: object, size: TerminalSize): void {
    this.#sizes.delete(viewer);
    this.#sizes.set(viewer, size);
  }

  /** The viewer has typed something. */
  touch(viewer: object): void {
    const size = this.#sizes.get(viewer);
    if (size !== undefined) this.set(viewer, size);
  }

  delete(viewer: object): void {
    this.#sizes.delete(viewer);
  }

  /** Undefined when no viewer has a size: then the terminal keeps the one it has. */
  current(): TerminalSize | undefined {
    return [...this.#sizes.values()].at(-1);
  }
}
