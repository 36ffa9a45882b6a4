import type { Logger } from "../../platform/logger.ts";
import type { Terminal } from "../../terminal/terminal.ts";

/** How long a program waits for the first who attaches to it. */
const FIRST_VIEWER_MS = 30_000;
/** What a program that was hung up has, to end by itself. */
const HANG_UP_MS = 5_000;

/**
 * Ends a program once nobody is attached to it, as a line that breaks off does: it is hung up, and killed if that does not
 * end it. What asked to outlive its terminal (`nohup`) does.
 */
export class Attendance implements Disposable {
  readonly #terminal: Terminal;
  readonly #logger: Logger;
  #timer: NodeJS.Timeout | undefined;

  /** The first viewer is waited for from now on. */
  constructor(terminal: Terminal, logger: Logger) {
    this.#terminal = terminal;
    this.#logger = logger;
    this.#plan(() => this.#hangUp(), FIRST_VIEWER_MS);
    void terminal.ended.then(() => this[Symbol.dispose]());
  }

  /** Somebody is attached. */
  begin(): void {
    clearTimeout(this.#timer);
  }

  /** The last one has left. */
  end(): void {
    if (this.#terminal.endedWith === undefined) this.#plan(() => this.#hangUp(), 0);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }

  async #hangUp(): Promise<void> {
    // Armed first: a program that ends at once takes the timer along.
    this.#plan(() => this.#terminal.kill(), HANG_UP_MS);
    await this.#terminal.signal("SIGHUP");
  }

  #plan(action: () => Promise<void>, afterMs: number): void {
    const { id } = this.#terminal;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      action().catch((error: unknown) =>
        this.#logger.error("a program that nobody attends to did not end", { id, error }),
      );
    }, afterMs);
    this.#timer.unref();
  }
}
