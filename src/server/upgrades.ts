import { STATUS_CODES, type IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { CattlegridError } from "../errors/error.ts";
import { servePortConnections } from "./port-connection.ts";
import { toProblem } from "./problem.ts";
import { serveTerminals } from "./terminal-socket.ts";
import type { UpgradeServing } from "./upgrade.ts";

/** Hands every connection that is to be upgraded to who serves its path. */
export function serveUpgrades(serving: UpgradeServing): { close(): void } {
  const { server } = serving;
  const kinds = [serveTerminals(serving), servePortConnections(serving)];
  const upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    const kind = kinds.find(({ path }) => path.test(request.url ?? ""));
    // A server of a unix socket, and of TLS, has no other connections.
    const served = kind?.serve(request, socket as Socket, head) ?? refuseUnknown(request);
    served.catch((error: unknown) => refuse(socket, error));
  };
  server.on("upgrade", upgrade);
  return {
    close() {
      server.off("upgrade", upgrade);
      for (const kind of kinds) kind.close();
    },
  };
}

async function refuseUnknown({ url }: IncomingMessage): Promise<void> {
  throw new CattlegridError("REQUEST_INVALID", `${url} is not part of this API.`);
}

/** Answers as HTTP what cannot become a WebSocket. */
function refuse(socket: Duplex, error: unknown): void {
  const problem = toProblem(error);
  const body = JSON.stringify(problem);
  const head = [
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status] ?? "Refused"}`,
    "content-type: application/problem+json",
    `content-length: ${Buffer.byteLength(body)}`,
    "connection: close",
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`);
}
