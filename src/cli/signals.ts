import { constants } from "node:os";

export type ShellSignal = "SIGINT" | "SIGTERM" | "SIGHUP" | "SIGQUIT";
/** Returns true to let the handler that was there before have the signal too. */
export type SignalHandler = (signal: ShellSignal) => boolean | void;

const WATCHED: readonly ShellSignal[] = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"];

/** Gives each signal of this process to the handler that was added last and is still there. Lives as long as the process. */
export class Signals {
  readonly #handlers: SignalHandler[];
  readonly #listener = (signal: ShellSignal): void => {
    this.#handlers.findLast((handler) => handler(signal) !== true);
  };

  constructor(fallback: SignalHandler) {
    this.#handlers = [fallback];
    for (const signal of WATCHED) process.on(signal, this.#listener);
  }

  /** Until the result is disposed, `handler` gets the signals. */
  handle(handler: SignalHandler): Disposable {
    this.#handlers.push(handler);
    return {
      [Symbol.dispose]: () => {
        const at = this.#handlers.lastIndexOf(handler);
        if (at > 0) this.#handlers.splice(at, 1);
      },
    };
  }
}

/** What a shell shows as the exit status of a process that `signal` ended. */
export function exitCodeOfSignal(signal: ShellSignal): number {
  return 128 + constants.signals[signal];
}
