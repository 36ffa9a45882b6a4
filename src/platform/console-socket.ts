import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { CattlegridError } from "../errors/error.ts";
import { waitReadable } from "./native/descriptor.ts";
import { receiveDescriptor } from "./native/descriptor-message.ts";

/** The kernel's limit on the path of a local socket, without its closing zero byte. */
const PATH_BYTES_MAX = 107;
/** The sender has connected and has only to send; more than this means that it was stopped. */
const MESSAGE_TIMEOUT_MS = 5_000;

/** A local socket to which a container runtime sends the master of a terminal that it made. */
export class ConsoleSocket {
  readonly path: string;
  readonly #server: Server;
  readonly #connected: Promise<Socket>;

  private constructor(path: string, server: Server) {
    this.path = path;
    this.#server = server;
    this.#connected = once(server, "connection").then(([socket]) => socket as Socket);
  }

  /** Listens at `path`, in a directory that only this user can enter. */
  static async open(path: string): Promise<ConsoleSocket> {
    if (Buffer.byteLength(path) > PATH_BYTES_MAX) {
      const message = `The path of a socket is longer than ${PATH_BYTES_MAX} bytes: ${path}`;
      throw new CattlegridError("SOCKET_PATH_TOO_LONG", message);
    }
    // Paused, so that nobody reads: a plain read throws away the descriptor that comes with the bytes.
    const server = createServer({ pauseOnConnect: true }).listen(path);
    await once(server, "listening");
    return new ConsoleSocket(path, server);
  }

  /** Waits for the runtime and returns the master, which the caller closes; never resolves without one. */
  async receive(): Promise<number> {
    const socket = await this.#connected;
    try {
      return await receiveFrom(socket);
    } finally {
      socket.destroy();
    }
  }

  /** Idempotent; removes the socket from the file system. */
  close(): void {
    this.#server.close();
  }
}

async function receiveFrom(socket: Socket): Promise<number> {
  const socketFd = (socket as unknown as { _handle?: { fd?: number } | null })._handle?.fd ?? -1;
  const first = receiveDescriptor(socketFd);
  const isEmpty = first === "empty" && (await waitReadable(socketFd, MESSAGE_TIMEOUT_MS));
  const received = isEmpty ? receiveDescriptor(socketFd) : first;
  if (typeof received === "number") return received;
  throw new CattlegridError("INTERNAL", "the runtime connected but sent no terminal");
}
