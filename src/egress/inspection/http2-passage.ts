import {
  connect,
  constants,
  performServerHandshake,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { TLSSocket } from "node:tls";
import { judgeAuthority, type HttpPlace } from "../http/http-head.ts";
import { METHOD_OVERRIDE_FIELDS, type HttpRequest } from "../policy/http-scope.ts";
import type { Passage, RelayEnding, RequestGate } from "../passage.ts";
import { Refusal } from "../refusal.ts";
import { followEnds } from "../relay.ts";
import { Http2Goodbye } from "./http2-goodbye.ts";

export interface Http2Options {
  client: TLSSocket;
  upstream: TLSSocket;
  place: HttpPlace;
  gate: RequestGate;
  /** Breaks off what is silent for so long after one side has said goodbye. */
  halfOpenIdleMs: number;
}

/** What one request of the client is joined to; a refused one to nothing. */
interface OpenRequest {
  request?: HttpRequest;
  upstream?: ClientHttp2Stream;
}

/** What may be on its way in one direction of one request. */
const WINDOW_BYTES = 1024 * 1024;
const STREAMS_MAX = 128;
const { NGHTTP2_CANCEL, NGHTTP2_FLAG_END_STREAM, NGHTTP2_REFUSED_STREAM } = constants;

/** Relays HTTP/2, each request decided on its own. Both ends are node:http2 sessions, so nothing malformed passes. */
export function passHttp2(options: Http2Options): Passage {
  return new Http2Passage(options);
}

class Http2Passage implements Passage {
  readonly ended: Promise<RelayEnding>;
  readonly #options: Http2Options;
  readonly #server: ServerHttp2Session;
  readonly #upstream: ClientHttp2Session;
  readonly #open = new Map<ServerHttp2Stream, OpenRequest>();
  readonly #goodbye: Http2Goodbye;

  constructor(options: Http2Options) {
    this.#options = options;
    const { client, upstream, place } = options;
    const settings = { enablePush: false, initialWindowSize: WINDOW_BYTES };
    this.#upstream = connect(`https://${place.name}:${place.port}`, {
      createConnection: () => upstream,
      settings,
    });
    this.#server = performServerHandshake(client, {
      settings: { ...settings, maxConcurrentStreams: STREAMS_MAX },
    });
    this.#server.on("stream", (stream, headers, flags) => this.#accept(stream, { headers, flags }));
    const sessions = { client, upstream, server: this.#server, toServer: this.#upstream };
    const { halfOpenIdleMs } = options;
    this.#goodbye = new Http2Goodbye({ ...sessions, open: this.#open, halfOpenIdleMs });
    this.ended = followEnds({ client, upstream }).then((ending) =>
      this.#goodbye.isSilent ? "silent" : ending,
    );
    for (const session of [this.#server, this.#upstream]) {
      session.once("connect", () => session.setLocalWindowSize(WINDOW_BYTES * 4));
    }
  }

  reconsider(): void {
    for (const [stream, { request }] of this.#open) {
      if (request === undefined) continue;
      if (this.#options.gate.judgeAgain(request) !== undefined) stream.close(NGHTTP2_CANCEL);
    }
  }

  #accept(stream: ServerHttp2Stream, asked: { headers: IncomingHttpHeaders; flags: number }): void {
    // `close` follows every error; a client that takes back one request is no fault of the connection.
    stream.on("error", () => undefined);
    const { place, gate } = this.#options;
    const open: OpenRequest = {};
    this.#open.set(stream, open);
    stream.once("close", () => {
      this.#open.delete(stream);
      this.#goodbye.onRequestEnd();
    });
    const hasBody = (asked.flags & NGHTTP2_FLAG_END_STREAM) === 0;
    const request = readRequest(asked.headers, { place, hasBody });
    if (request instanceof Refusal) gate.refuse(request);
    const refusal = request instanceof Refusal ? request : gate.judge(request);
    if (refusal !== undefined) return this.#answer(stream, refusal, asked.headers[":method"]);
    const upstream = this.#request(asked.headers, !hasBody);
    if (upstream === undefined) return stream.close(NGHTTP2_REFUSED_STREAM);
    if (!(request instanceof Refusal)) Object.assign(open, { request, upstream });
    passStream(stream, upstream);
  }

  /** Undefined when the server takes no more requests on this connection. */
  #request(headers: IncomingHttpHeaders, endStream: boolean): ClientHttp2Stream | undefined {
    const isLeaving = this.#upstream.closed || this.#upstream.destroyed;
    if (isLeaving) return undefined;
    return this.#upstream.request(headers, { endStream, waitForTrailers: !endStream });
  }

  #answer(stream: ServerHttp2Stream, refusal: Refusal, method: string | undefined): void {
    const text = Buffer.from(this.#options.gate.explain(refusal));
    const headers = {
      ":status": refusal.action === "deny" ? 403 : 502,
      "content-type": "text/plain; charset=utf-8",
      "content-length": text.length,
    };
    // What the client still sends is read and dropped.
    stream.resume();
    stream.respond(headers, { endStream: method === "HEAD" });
    if (method !== "HEAD") stream.end(text);
  }
}

/** What a request asks, or why no policy can allow it. */
function readRequest(
  headers: IncomingHttpHeaders,
  { place, hasBody }: { place: HttpPlace; hasBody: boolean },
): HttpRequest | Refusal {
  const method = headers[":method"] ?? "";
  const path = headers[":path"] ?? "";
  if (method === "CONNECT") return malformed("it asks for a tunnel (CONNECT)", "request-refused");
  if (headers[":scheme"] !== place.scheme) return malformed("its scheme is not that of TLS");
  if (path !== "*" && !/^\/[\x21-\x7e]*$/.test(path)) return malformed("its path is not valid");
  const names = [headers[":authority"], headers.host].filter((name) => name !== undefined);
  if (names.length === 0) return malformed("it does not say whom it is for");
  for (const name of names) {
    const problem = judgeAuthority(name, place);
    if (problem !== undefined) return malformed(problem.problem, problem.code);
  }
  const methodOverrides = METHOD_OVERRIDE_FIELDS.flatMap((name) => headers[name] ?? []);
  return { method, path, methodOverrides, hasBody };
}

function malformed(problem: string, code: Refusal["code"] = "request-malformed"): Refusal {
  return new Refusal(code, `the request is refused: ${problem}`);
}

/** Joins the two ends of one request: bodies, informational answers, trailers and resets, both ways. */
function passStream(client: ServerHttp2Stream, upstream: ClientHttp2Stream): void {
  upstream.on("error", () => undefined);
  upstream.on("headers", (headers) => {
    if (!client.headersSent && !client.destroyed) client.additionalHeaders(toOutgoing(headers));
  });
  upstream.on("response", (headers, flags) => {
    if (client.destroyed) return;
    const endStream = (flags & NGHTTP2_FLAG_END_STREAM) !== 0;
    client.respond(toOutgoing(headers), { endStream, waitForTrailers: !endStream });
  });
  passTrailers(client, upstream);
  passTrailers(upstream, client);
  passReset(client, upstream);
  passReset(upstream, client);
  client.pipe(upstream);
  upstream.pipe(client);
}

function passTrailers(
  from: ServerHttp2Stream | ClientHttp2Stream,
  to: ServerHttp2Stream | ClientHttp2Stream,
): void {
  let trailers: OutgoingHttpHeaders = {};
  from.on("trailers", (headers: IncomingHttpHeaders) => (trailers = toOutgoing(headers)));
  to.on("wantTrailers", () => to.sendTrailers(trailers));
}

function passReset(
  from: ServerHttp2Stream | ClientHttp2Stream,
  to: ServerHttp2Stream | ClientHttp2Stream,
): void {
  from.once("close", () => {
    if (from.rstCode !== constants.NGHTTP2_NO_ERROR && !to.destroyed) to.close(from.rstCode);
  });
}

function toOutgoing(headers: IncomingHttpHeaders): OutgoingHttpHeaders {
  return headers;
}
