import type { Socket } from "node:net";
import { explainDenial, type DenialPlace } from "./advice/explain.ts";
import { looksLikeRequest } from "./http/http-head.ts";
import type { Refusal } from "./refusal.ts";
import { resetSocket } from "./relay.ts";
import type { Protocol } from "./policy/rule.ts";

export interface RefusedClient extends DenialPlace {
  refusal: Refusal;
  /** What the client speaks; undefined when it has not been asked yet. */
  protocol: Protocol | undefined;
  port: number;
}

/** Where a client speaks first, so that what it says tells how it can be answered. */
const TALKATIVE_PORTS: readonly number[] = [80, 443, 8080, 8443];
/** Such a client speaks at once; one that does not is reset. */
const REQUEST_WAIT_MS = 250;
const ANSWER_DEADLINE_MS = 1000;
const HANDSHAKE_RECORD = 0x16;
/** One TLS record: a fatal alert, access_denied. It is what TLS has for "somebody forbids this". */
const ACCESS_DENIED = Buffer.from([0x15, 3, 3, 0, 2, 2, 49]);

/**
 * Ends a refused connection at once. An HTTP client reads why, a TLS client is told that access is denied, and
 * any other sees a reset. Never rejects.
 */
export async function refuseSocket(socket: Socket, client: RefusedClient): Promise<void> {
  const { refusal, port } = client;
  const isAsked = client.protocol !== undefined || !TALKATIVE_PORTS.includes(port);
  const protocol = isAsked ? client.protocol : await hearProtocol(socket);
  if (socket.destroyed) return;
  if (protocol === "http") {
    return answerHttp(socket, { refusal, text: explainRefusal(refusal, client) });
  }
  if (protocol === "tls" && refusal.action === "deny") return endWith(socket, ACCESS_DENIED);
  resetSocket(socket);
}

function hearProtocol(socket: Socket): Promise<Protocol> {
  return new Promise((resolve) => {
    const finish = (protocol: Protocol) => {
      clearTimeout(timer);
      socket.off("data", onData).off("end", onEnd).off("close", onEnd);
      resolve(protocol);
    };
    const onData = (bytes: Buffer) => {
      if (bytes[0] === HANDSHAKE_RECORD) finish("tls");
      else finish(looksLikeRequest(bytes) ? "http" : "opaque");
    };
    const onEnd = () => finish("opaque");
    const timer = setTimeout(onEnd, REQUEST_WAIT_MS);
    socket.on("data", onData).once("end", onEnd).once("close", onEnd);
    if (socket.destroyed) onEnd();
  });
}

export interface HttpAnswer {
  refusal: Refusal;
  text: string;
  /** The request was one whose answer has no body. */
  isBodyless?: boolean;
}

/** Answers an HTTP/1 client with why, and closes. Resolves when the socket is closed; never rejects. */
export function answerHttp(
  socket: Socket,
  { refusal, text, isBodyless }: HttpAnswer,
): Promise<void> {
  const body = Buffer.from(text);
  const head = [
    refusal.action === "deny" ? "HTTP/1.1 403 Forbidden" : "HTTP/1.1 502 Bad Gateway",
    "Content-Type: text/plain; charset=utf-8",
    `Content-Length: ${body.length}`,
    "Connection: close",
  ];
  const bytes = Buffer.from(`${head.join("\r\n")}\r\n\r\n`);
  return endWith(socket, isBodyless === true ? bytes : Buffer.concat([bytes, body]));
}

/** Says one last thing. Resolves when the socket is closed. */
function endWith(socket: Socket, bytes: Buffer): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resetSocket(socket), ANSWER_DEADLINE_MS);
    socket.once("close", () => {
      clearTimeout(timer);
      resolve();
    });
    // What the client still sends is read and dropped: closing on unread bytes would destroy the answer.
    socket.resume();
    socket.end(bytes);
  });
}

/** What a program is told: the policy's decision, or a fault on the way to an allowed server. */
export function explainRefusal(refusal: Refusal, where: DenialPlace): string {
  if (refusal.action === "deny") return explainDenial(refusal, where);
  return `Cattlegrid could not reach ${where.place}: ${refusal.reason}.\n`;
}
