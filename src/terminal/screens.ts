import { extname } from "node:path";
import { Worker } from "node:worker_threads";
import type { Logger } from "../platform/logger.ts";
import type { TerminalSize } from "../protocol/process.ts";
import { Screen } from "./screen.ts";
import { canKeepScreen } from "./screen-size.ts";
import type { ScreenAnswer, ScreenRequest } from "./screen-protocol.ts";

/** What the thread may take: a program whose output fills it loses its screen, and nothing else. */
const HEAP_MIB_MAX = 512;
const YOUNG_HEAP_MIB_MAX = 8;

/** The screens of one engine's terminals, kept by one thread, which starts with the first of them. */
export class Screens {
  readonly #logger: Logger;
  readonly #open = new Map<number, Screen>();
  #worker: Worker | undefined;
  #count = 0;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Undefined for a size whose screen would take too much memory. */
  open(size: TerminalSize): Screen | undefined {
    if (!canKeepScreen(size)) return undefined;
    this.#count += 1;
    const screenId = this.#count;
    const screen = new Screen({
      screenId,
      size,
      send: (request) => this.#send(request),
      onClose: () => this.#open.delete(screenId),
    });
    this.#open.set(screenId, screen);
    return screen;
  }

  /** Ends the thread. Idempotent. */
  async close(): Promise<void> {
    for (const screen of this.#open.values()) screen.lose();
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
  }

  #send(request: ScreenRequest): void {
    this.#worker ??= this.#start();
    // The bytes are moved, not copied.
    const moved = request.kind === "write" ? [request.bytes.buffer as ArrayBuffer] : [];
    this.#worker.postMessage(request, moved);
  }

  #start(): Worker {
    const entry = new URL(`./screen-worker${extname(import.meta.url)}`, import.meta.url);
    const worker = new Worker(entry, {
      // SECURITY: the thread reads what a sandbox wrote; nothing of the user's environment is in its reach.
      env: {},
      resourceLimits: {
        maxOldGenerationSizeMb: HEAP_MIB_MAX,
        maxYoungGenerationSizeMb: YOUNG_HEAP_MIB_MAX,
      },
    });
    worker.unref();
    worker.on("message", (answer: ScreenAnswer) =>
      this.#open.get(answer.screenId)?.receive(answer),
    );
    worker.on("error", (error) => this.#logger.error("the thread of the screens ended", { error }));
    worker.on("exit", () => this.#lose(worker));
    return worker;
  }

  /** What is attached to next is shown from its bytes; terminals that open later have a new thread. */
  #lose(worker: Worker): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    for (const screen of this.#open.values()) screen.lose();
  }
}
