import { closeSync } from "node:fs";
import type { Socket } from "node:net";
import { assert } from "../../../errors/error.ts";
import { openMessagePair } from "../../../platform/native/descriptor.ts";
import { receiveDescriptors } from "../../../platform/native/descriptor-message.ts";
import { openCaptureSockets, openConnection } from "../../capture/sockets.ts";
import type { CaptureSockets } from "../../capture/capture-sockets.ts";

/**
 * The way by which capture sockets come from the keeper: those of one sandbox in one message, where Node's own channel
 * takes a message and an answer for each of them.
 */
export class CaptureChannel {
  /** The keeper's end, to be closed here once the keeper has it. */
  readonly keeperFd: number;
  readonly #fd: number;
  /** Sockets that came and were not taken yet, by request. */
  readonly #arrived = new Map<number, readonly number[]>();
  #isOpen = true;

  constructor() {
    [this.#fd, this.keeperFd] = openMessagePair();
  }

  /** The sockets of a request that the keeper has answered: it sends them before it answers. */
  take(request: number): CaptureSockets {
    return openCaptureSockets(this.#take(request));
  }

  /** The connection of a request that the keeper has answered. */
  takeConnection(request: number): Socket {
    const [fd] = this.#take(request);
    assert(fd !== undefined, "the keeper handed over no connection");
    return openConnection(fd);
  }

  #take(request: number): readonly number[] {
    this.#read();
    const fds = this.#arrived.get(request);
    this.#arrived.delete(request);
    assert(fds !== undefined, "the keeper handed over no sockets");
    return fds;
  }

  /** Closes what nobody took. Idempotent. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    closeSync(this.#fd);
    for (const fd of [...this.#arrived.values()].flat()) closeSync(fd);
    this.#arrived.clear();
  }

  #read(): void {
    while (this.#isOpen) {
      const message = receiveDescriptors(this.#fd);
      if (message === "empty" || message.bytes.length === 0) return;
      this.#arrived.set(Number(message.bytes.toString()), message.fds);
    }
  }
}
