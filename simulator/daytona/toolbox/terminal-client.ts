import type { WebSocket } from "ws";

export interface TerminalClientOptions {
  /** Whether it offered the token for exits in a control frame. */
  hasExitControl: boolean;
  /** How many chunks may wait for it. */
  queueChunks: number;
}

/** One socket that looks at a terminal. */
export class TerminalClient {
  readonly #socket: WebSocket;
  readonly #options: TerminalClientOptions;
  #waitingChunks = 0;
  #isSilent = false;

  constructor(socket: WebSocket, options: TerminalClientOptions) {
    this.#socket = socket;
    this.#options = options;
  }

  get isSilent(): boolean {
    return this.#isSilent;
  }

  control(message: object): void {
    if (!this.#isSilent) this.#socket.send(JSON.stringify({ type: "control", ...message }));
  }

  /** Whether it is still served: a client for which too much waits already is dropped. */
  output(bytes: Buffer): boolean {
    if (this.#isSilent) return true;
    if (this.#socket.readyState !== this.#socket.OPEN) return false;
    if (this.#waitingChunks >= this.#options.queueChunks) {
      this.close(1008, "slow consumer");
      return false;
    }
    this.#waitingChunks += 1;
    this.#socket.send(bytes, { binary: true }, () => (this.#waitingChunks -= 1));
    return true;
  }

  exited({ exitCode, exitReason }: { exitCode: number; exitReason?: string }): void {
    if (!this.#options.hasExitControl) return;
    const reason = exitReason === undefined ? {} : { exitReason: `(${exitReason})` };
    this.control({ status: "exited", exitCode, ...reason });
  }

  close(code: number, reason: string): void {
    if (!this.#isSilent) this.#socket.close(code, reason);
  }

  /** No close frame, no more of anything: what a broken network does. */
  drop(): void {
    this.#socket.terminate();
  }

  silence(): void {
    this.#isSilent = true;
    this.#socket.pause();
  }
}
