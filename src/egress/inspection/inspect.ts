import { once } from "node:events";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { HttpPlace } from "../http/http-head.ts";
import { passHttp1 } from "../http/http1-passage.ts";
import type { Passage, RequestGate } from "../passage.ts";
import { Refusal } from "../refusal.ts";
import { answerHttp } from "../refuse-socket.ts";
import type { HostTrust } from "./host-trust.ts";
import { passHttp2 } from "./http2-passage.ts";
import { chooseProtocols, HTTP1, HTTP2, openClientTls, openUpstreamTls } from "./open-tls.ts";
import type { ServerContexts } from "./server-contexts.ts";

/** What inspecting needs besides the connection: how we prove names inside, and whom we believe outside. */
export interface Inspection {
  readonly contexts: ServerContexts;
  readonly trust: HostTrust;
}

export interface InspectedConnection {
  client: Socket;
  upstream: Socket;
  /** What the client has said so far: its ClientHello, in which `place.name` was found. */
  hello: Buffer;
  /** The application protocols in it. */
  offered: readonly string[] | undefined;
  place: HttpPlace;
  /** PEM certificates that count for this server besides those of the host. */
  certificates: readonly string[];
  gate: RequestGate;
  halfOpenIdleMs: number;
  /** Ends both sides at once. */
  reset(): void;
}

/**
 * Opens the TLS of a connection and relays the requests in it. The server is spoken to first, so that the client
 * gets the protocol that the server chose and nothing has to be translated. Never rejects.
 */
export async function inspect(
  inspection: Inspection,
  connection: InspectedConnection,
): Promise<Passage | Refusal> {
  const protocols = chooseProtocols(connection.offered);
  if (protocols instanceof Refusal) return protocols;
  const { place } = connection;
  const upstream = await openUpstreamTls({
    socket: connection.upstream,
    name: place.name,
    protocols,
    trusted: inspection.trust.contextWith(connection.certificates),
  });
  if (upstream instanceof Refusal) return explainInside(inspection, connection, upstream);
  const chosen = upstream.alpnProtocol === false ? null : upstream.alpnProtocol;
  const protocol = chosen ?? undefined;
  const client = await openClient(inspection, connection, protocol);
  if (client instanceof Refusal) {
    upstream.destroy();
    return client;
  }
  const { gate, reset, halfOpenIdleMs } = connection;
  const ends = { client, upstream, halfOpenIdleMs };
  return protocol === HTTP2
    ? passHttp2({ ...ends, place, gate })
    : passHttp1({ ...ends, place, gate, reset });
}

function openClient(
  { contexts }: Inspection,
  { client, hello, place }: InspectedConnection,
  protocol: string | undefined,
): Promise<TLSSocket | Refusal> {
  client.unshift(hello);
  const certificate = contexts.for(place.name);
  return openClientTls({ socket: client, name: place.name, protocol, certificate });
}

/** A client that speaks HTTP/1 reads what is wrong with the server, in place of its answer. */
async function explainInside(
  inspection: Inspection,
  connection: InspectedConnection,
  refusal: Refusal,
): Promise<Refusal> {
  const { offered, gate } = connection;
  if (offered !== undefined && !offered.includes(HTTP1)) return refusal;
  const client = await openClient(inspection, connection, offered && HTTP1);
  if (client instanceof Refusal) return refusal;
  await Promise.race([once(client, "data"), once(client, "close")]).catch(() => client.destroy());
  await answerHttp(client, { refusal, text: gate.explain(refusal) });
  return refusal;
}
