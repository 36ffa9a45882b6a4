import type { Socket } from "node:net";
import { explainDenial, type DenialPlace } from "./explain.ts";
import { looksLikeRequest } from "./http-head.ts";
import type { Refusal } from "./refusal.ts";
import { resetSocket } from "./relay.ts";

export interface RefusedClient extends DenialPlace {
  refusal: Refusal;
  /** Whether the client speaks HTTP; undefined when it has not been asked and the port suggests it. */
  isHttp: boolean | undefined;
}

/** A client on port 80 sends its request at once; one that does not is reset. */
const REQUEST_WAIT_MS = 250;
const ANSWER_DEADLINE_MS = 1000;

/** Ends a refused connection at once: an HTTP client reads why, any other sees a reset. Never rejects. */
export async function refuseSocket(socket: Socket, client: RefusedClient): Promise<void> {
  const isHttp = client.isHttp ?? (await startsLikeHttp(socket));
  if (!isHttp || socket.destroyed) return resetSocket(socket);
  const text = explainRefusal(client.refusal, client);
  await answerHttp(socket, { refusal: client.refusal, text });
}

function startsLikeHttp(socket: Socket): Promise<boolean> {
  return new Promise((resolve) => {
    const finish = (isHttp: boolean) => {
      clearTimeout(timer);
      socket.off("data", onData).off("end", onEnd).off("close", onEnd);
      resolve(isHttp);
    };
    const onData = (bytes: Buffer) => finish(looksLikeRequest(bytes));
    const onEnd = () => finish(false);
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
  return new Promise((resolve) => {
    const timer = setTimeout(() => resetSocket(socket), ANSWER_DEADLINE_MS);
    socket.once("close", () => {
      clearTimeout(timer);
      resolve();
    });
    // What the client still sends is read and dropped: closing on unread bytes would destroy the answer.
    socket.resume();
    const bytes = Buffer.from(`${head.join("\r\n")}\r\n\r\n`);
    socket.end(isBodyless === true ? bytes : Buffer.concat([bytes, body]));
  });
}

/** What a program is told: the policy's decision, or a fault on the way to an allowed server. */
export function explainRefusal(refusal: Refusal, where: DenialPlace): string {
  if (refusal.action === "deny") return explainDenial(refusal, where);
  return `Cattlegrid could not reach ${where.place}: ${refusal.reason}.\n`;
}
