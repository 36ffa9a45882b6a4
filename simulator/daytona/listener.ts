import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { serveRequest, type FrontOptions } from "./front.ts";
import { findPreview, servePreviewUpgrade } from "./preview.ts";
import { serveUpgrade } from "./upgrades.ts";

/** The server on loopback, which knows its address before it knows what to serve. */
export class Listener {
  readonly origin: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server) {
    this.#server = server;
    this.origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
    });
  }

  static async open(port: number): Promise<Listener> {
    const server = createServer().listen(port, "127.0.0.1");
    await once(server, "listening");
    return new Listener(server);
  }

  serve(front: FrontOptions): void {
    this.#server.on("request", (message, response) => {
      serveRequest(front, message, response).catch(() => response.destroy());
    });
    this.#server.on("upgrade", (message, socket, head) => {
      const handshake = { message, socket, head };
      const preview = findPreview(front.service, message);
      const served =
        preview === undefined
          ? serveUpgrade(front, handshake)
          : servePreviewUpgrade(front.service, preview, handshake);
      served.catch(() => socket.destroy());
    });
  }

  /** Half-open connections too. */
  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }
}
