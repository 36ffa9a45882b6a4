import {
  constants,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { Socket } from "node:net";

export interface GoodbyeOptions {
  /** The connection with the client, and its session. */
  client: Socket;
  server: ServerHttp2Session;
  /** The connection with the server, and our session in it. */
  upstream: Socket;
  toServer: ClientHttp2Session;
  /** Requests of the client that are not answered whole yet. */
  open: ReadonlyMap<ServerHttp2Stream, { upstream?: ClientHttp2Stream }>;
  halfOpenIdleMs: number;
}

/** A client may say goodbye before its last request, which is then on its way. */
const LAST_REQUEST_MS = 1_000;
/** For the other side to close a connection on which all is said. */
const CLOSE_MS = 10_000;
const { NGHTTP2_CANCEL } = constants;

/**
 * Ends the two sessions of an HTTP/2 connection: at once for an error; after the requests that are open when one
 * side says goodbye or ends its connection. The server hears of the client's goodbye only by the end of the
 * session, since nghttp2 sends a goodbye before requests that wait in its queue, which the server would refuse.
 */
export class Http2Goodbye {
  readonly #options: GoodbyeOptions;
  readonly #closeServer: () => void;
  #isLeaving = false;
  /** No request can come any more. */
  #isLast = false;
  #isFinished = false;
  #isSilent = false;
  #lastRequest: NodeJS.Timeout | undefined;

  constructor(options: GoodbyeOptions) {
    this.#options = options;
    const { client, server, upstream, toServer } = options;
    this.#closeServer = takeClose(server);
    server.on("error", () => toServer.destroy());
    toServer.on("error", () => server.destroy());
    server.on("goaway", () => this.#leave());
    toServer.on("goaway", () => this.#refuseMore());
    // While a session reads, node:http2 keeps a cancellation back until it reads again, which is never.
    client.once("end", () => setImmediate(this.#onClientEnd));
    upstream.once("end", () => setImmediate(this.#onUpstreamEnd));
    server.once("close", () => this.#finish());
    toServer.once("close", () => this.#refuseMore());
  }

  /** Whether it was broken off because nothing moved after a goodbye. */
  get isSilent(): boolean {
    return this.#isSilent;
  }

  onRequestEnd(): void {
    if (!this.#isLeaving || this.#options.open.size > 0) return;
    if (this.#isLast) return this.#finish();
    clearTimeout(this.#lastRequest);
    this.#lastRequest = setTimeout(() => {
      if (this.#options.open.size === 0) this.#finish();
    }, LAST_REQUEST_MS);
  }

  /** A request that the client had not said whole will never be. */
  readonly #onClientEnd = (): void => {
    for (const stream of this.#options.open.keys()) {
      if (stream.state.remoteClose !== 1) stream.close(NGHTTP2_CANCEL);
    }
    this.#isLast = true;
    this.#leave();
  };

  /** An answer that the server had not said whole will never be. */
  readonly #onUpstreamEnd = (): void => {
    for (const { upstream } of this.#options.open.values()) {
      if (upstream?.destroyed === false && upstream.state.remoteClose !== 1) {
        upstream.close(NGHTTP2_CANCEL);
      }
    }
    this.#refuseMore();
  };

  #refuseMore(): void {
    this.#isLast = true;
    this.#closeServer();
    this.#leave();
  }

  #leave(): void {
    if (!this.#isLeaving) this.#watchSilence();
    this.#isLeaving = true;
    this.onRequestEnd();
  }

  #watchSilence(): void {
    const { server, toServer, halfOpenIdleMs } = this.#options;
    if (!toServer.destroyed) toServer.setTimeout(halfOpenIdleMs, () => this.#cut());
    if (server.destroyed) return;
    server.setTimeout(halfOpenIdleMs, () => {
      if (toServer.destroyed) this.#cut();
    });
  }

  #cut(): void {
    this.#isSilent = true;
    this.#options.server.destroy();
    this.#options.toServer.destroy();
  }

  #finish(): void {
    if (this.#isFinished) return;
    this.#isFinished = true;
    clearTimeout(this.#lastRequest);
    const { client, upstream, toServer, halfOpenIdleMs } = this.#options;
    this.#closeServer();
    if (!toServer.closed && !toServer.destroyed) toServer.close();
    for (const socket of [client, upstream]) awaitClose(socket, halfOpenIdleMs);
  }
}

/**
 * Gives what closes `session`, and keeps node:http2 from doing so when the client says goodbye: it would then
 * refuse requests that come behind the goodbye, which the client may send.
 */
function takeClose(session: ServerHttp2Session): () => void {
  const close = session.close.bind(session);
  session.close = () => undefined;
  return () => {
    if (!session.closed && !session.destroyed) close();
  };
}

/** Closes a connection that the other side does not close though all is said and written. */
function awaitClose(socket: Socket, unwrittenMs: number): void {
  if (socket.destroyed) return;
  let timer = setTimeout(() => socket.destroy(), unwrittenMs);
  const onFinish = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => socket.destroy(), CLOSE_MS);
  };
  if (socket.writableFinished) onFinish();
  else socket.once("finish", onFinish);
  socket.once("close", () => clearTimeout(timer));
}
