import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { connect, type Socket } from "node:net";
import { pipeline } from "node:stream/promises";

export interface HttpRequest {
  socketPath: string;
  method: string;
  path: string;
  headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  body?: unknown;
  /** Sent as it comes, in place of `body`, as a tar archive. One that fails breaks the connection off. */
  archive?: AsyncIterable<Uint8Array>;
  signal: AbortSignal;
}

export interface HttpAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  /** Must be read to its end, or destroyed. */
  body: IncomingMessage;
}

/**
 * One HTTP request over a unix socket, on a connection of its own. Resolves with the answer's head. Rejects with
 * the system's error, or with the signal's reason.
 */
export async function sendRequest(request: HttpRequest): Promise<HttpAnswer> {
  const { socketPath, method, path, archive, signal } = request;
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>();
  const payload = request.body === undefined ? undefined : JSON.stringify(request.body);
  const headers = {
    host: "localhost",
    ...request.headers,
    ...(payload === undefined ? {} : describeBody(payload)),
    ...(archive === undefined ? {} : { "content-type": "application/x-tar" }),
  };
  // Without an agent, which would look for a server name in the host before it opens a unix socket.
  const createConnection = (): Socket => connect(socketPath);
  const outgoing = openHttp().request({ createConnection, method, path, headers, signal });
  outgoing.once("response", (body) =>
    resolve({ status: body.statusCode ?? 0, headers: body.headers, body }),
  );
  outgoing.on("error", (error) => reject(signal.aborted ? signal.reason : error));
  if (archive === undefined) outgoing.end(payload);
  else pipeline(archive, outgoing).catch(reject);
  return promise;
}

/** A connection that became a plain stream. */
export interface UpgradedConnection {
  socket: Socket;
  /** Bytes of the stream that came with the head of the answer. */
  head: Buffer;
}

/**
 * As `sendRequest`, for a request by which the connection becomes a stream of both sides' own (101), half of which may
 * end before the other. Resolves with the answer instead where the other side does not do so.
 */
export async function sendUpgrade(
  request: HttpRequest,
  protocol: string,
): Promise<HttpAnswer | UpgradedConnection> {
  const { socketPath, method, path, signal } = request;
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer | UpgradedConnection>();
  // Where there is none, not even an empty one: an engine may take it for the beginning of the stream.
  const payload = request.body === undefined ? undefined : JSON.stringify(request.body);
  const headers = {
    host: "localhost",
    ...request.headers,
    ...(payload === undefined ? {} : describeBody(payload)),
    connection: "Upgrade",
    upgrade: protocol,
  };
  const createConnection = (): Socket => connect({ path: socketPath, allowHalfOpen: true });
  // Its own handle on the signal, as an aborted start must not end a stream that was handed over.
  const outgoing = openHttp().request({ createConnection, method, path, headers });
  const abort = (): void => void outgoing.destroy();
  signal.addEventListener("abort", abort, { once: true });
  outgoing.once("upgrade", (_answer, socket, head) => resolve({ socket: socket as Socket, head }));
  outgoing.once("response", (body) =>
    resolve({ status: body.statusCode ?? 0, headers: body.headers, body }),
  );
  outgoing.on("error", (error) => reject(signal.aborted ? signal.reason : error));
  outgoing.end(payload);
  try {
    return await promise;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

function describeBody(payload: string): Record<string, string> {
  const length = String(Buffer.byteLength(payload));
  return { "content-type": "application/json", "content-length": length };
}

export async function readText(body: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}

/** Importing the module by name evaluates its every lazy export, which takes 30 ms; this takes 2. */
function openHttp(): typeof import("node:http") {
  return process.getBuiltinModule("node:http");
}
