import { once } from "node:events";
import { closeSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { CattlegridError } from "../errors/error.ts";
import { receiveDescriptors, type DescriptorMessage } from "./native/descriptor-message.ts";
import { waitReadable } from "./native/descriptor.ts";

/** The sender has connected and has only to send; more than this means that it was stopped. */
const MESSAGE_TIMEOUT_MS = 10_000;

/** A local socket at which one message with descriptors is left, by a process that is let go of then. */
export class DescriptorInbox {
  readonly #server: Server;
  readonly #connected: Promise<Socket>;
  #isOpen = true;

  private constructor(server: Server) {
    this.#server = server;
    this.#connected = once(server, "connection").then(([socket]) => socket as Socket);
  }

  /** Listens at `path`, in a directory that only those may enter from whom a message is expected. */
  static async open(path: string): Promise<DescriptorInbox> {
    // Paused, so that nobody reads: a plain read throws away the descriptors that come with the bytes.
    const server = createServer({ pauseOnConnect: true }).listen({ path, writableAll: true });
    await once(server, "listening");
    return new DescriptorInbox(server);
  }

  /** Resolves once with what was sent; the descriptors are the caller's to close. Never resolves when nobody connects. */
  async receive(): Promise<DescriptorMessage> {
    const socket = await this.#connected;
    try {
      if (!this.#isOpen) throw notSent();
      const fd = descriptorOf(socket);
      const first = receiveDescriptors(fd);
      const isEmpty = first === "empty" && (await waitReadable(fd, MESSAGE_TIMEOUT_MS));
      const message = isEmpty ? receiveDescriptors(fd) : first;
      if (message === "empty" || message.bytes.length === 0) throw notSent();
      return message;
    } finally {
      socket.destroy();
    }
  }

  /** Idempotent; removes the socket from the file system. */
  close(): void {
    this.#isOpen = false;
    this.#server.close();
    // What arrives now is nobody's.
    void this.#connected.then((socket) => socket.destroy());
  }
}

export function closeAll(fds: readonly number[]): void {
  for (const fd of fds) closeSync(fd);
}

function descriptorOf(socket: Socket): number {
  return (socket as unknown as { _handle?: { fd?: number } | null })._handle?.fd ?? -1;
}

function notSent(): CattlegridError {
  return new CattlegridError("INTERNAL", "a process connected but left no descriptors");
}
