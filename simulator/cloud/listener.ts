import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import type { Server } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { openExchange, sendJson } from "./exchange.ts";
import type { Exchange } from "./exchange.ts";

export interface Listener extends AsyncDisposable {
  readonly port: number;
}

export interface ListenOptions {
  host: string;
  /** 0 takes any free port. */
  port: number;
  /** Present for TLS. */
  credentials?: { key: string; cert: string };
  answer(exchange: Exchange): Promise<void>;
}

/** Listens until disposed; disposing also ends the connections that are still open. */
export async function listen(options: ListenOptions): Promise<Listener> {
  const { credentials } = options;
  const server: Server =
    credentials === undefined ? createHttpServer() : createHttpsServer({ ...credentials });
  server.on("request", (request, response) => {
    const exchange = openExchange(request, response);
    options.answer(exchange).catch((error: unknown) => endFailed(exchange, error));
  });
  server.listen(options.port, options.host);
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

/** An answer that failed before it began says so; one that had begun is cut off, which clients notice. */
function endFailed(exchange: Exchange, error: unknown): void {
  if (exchange.response.headersSent) {
    exchange.response.destroy();
    return;
  }
  sendJson(exchange, 500, { message: `simulator failure: ${(error as Error).message}` });
}
