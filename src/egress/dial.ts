import { connect, type Socket } from "node:net";

export interface DialTarget {
  address: string;
  port: number;
}

export type Dialled =
  | { ok: true; socket: Socket; target: DialTarget }
  | {
      ok: false;
      problem: string;
      /** The operator's proxy whose problem it is, as host:port. */
      through?: string;
    };

/** How long the best address may take before the next is tried beside it. */
const STAGGER_MS = 250;
const DIAL_DEADLINE_MS = 15_000;
const KEEP_ALIVE_MS = 30_000;

/**
 * Connects to the first of `targets` that answers, each started a little after the one before it. Never
 * rejects. SECURITY: targets are addresses, so nothing is looked up again after the check of them.
 */
export function dialFirst(targets: readonly DialTarget[], signal: AbortSignal): Promise<Dialled> {
  return new Promise((resolve) => new Dialling(targets, signal, resolve).startNext());
}

class Dialling {
  readonly #waiting: DialTarget[];
  readonly #attempts = new Set<Socket>();
  readonly #signal: AbortSignal;
  readonly #resolve: (dialled: Dialled) => void;
  readonly #deadline: NodeJS.Timeout;
  #stagger: NodeJS.Timeout | undefined;
  #problem = "it has no address";
  #isSettled = false;

  constructor(
    targets: readonly DialTarget[],
    signal: AbortSignal,
    resolve: (dialled: Dialled) => void,
  ) {
    this.#waiting = [...targets];
    this.#signal = signal;
    this.#resolve = resolve;
    this.#deadline = setTimeout(() => this.#fail("it did not answer in time"), DIAL_DEADLINE_MS);
    signal.addEventListener("abort", this.#onAbort, { once: true });
  }

  startNext(): void {
    clearTimeout(this.#stagger);
    if (this.#isSettled) return;
    if (this.#signal.aborted) return this.#onAbort();
    const target = this.#waiting.shift();
    if (target !== undefined) this.#attempt(target);
    else if (this.#attempts.size === 0) this.#fail(this.#problem);
  }

  #attempt(target: DialTarget): void {
    const socket = connect({
      host: target.address,
      port: target.port,
      allowHalfOpen: true,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_MS,
    });
    this.#attempts.add(socket);
    // Stays for the socket's life: whoever owns it later learns of the end by `close`.
    socket.on("error", (error: NodeJS.ErrnoException) => {
      this.#problem = `${target.address} does not answer (${error.code ?? error.message})`;
    });
    socket.once("connect", () => {
      this.#attempts.delete(socket);
      this.#settle({ ok: true, socket, target });
    });
    socket.once("close", () => {
      if (this.#attempts.delete(socket)) this.startNext();
    });
    if (this.#waiting.length > 0) this.#stagger = setTimeout(() => this.startNext(), STAGGER_MS);
  }

  readonly #onAbort = () => this.#fail("the connection was closed");

  #fail(problem: string): void {
    this.#settle({ ok: false, problem });
  }

  #settle(dialled: Dialled): void {
    if (this.#isSettled) {
      if (dialled.ok) dialled.socket.destroy();
      return;
    }
    this.#isSettled = true;
    clearTimeout(this.#stagger);
    clearTimeout(this.#deadline);
    this.#signal.removeEventListener("abort", this.#onAbort);
    for (const socket of this.#attempts) socket.destroy();
    this.#resolve(dialled);
  }
}
