import {
  readRequestHead,
  type HttpPlace,
  type HttpProblem,
  type RequestHead,
} from "./http-head.ts";
import { MessageReader, REQUEST_RULES, RESPONSE_RULES, type Piece } from "./http-message.ts";
import { readResponseHead, type ResponseHead } from "./http-response.ts";
import type { Passage, RelayEnding, RequestGate } from "../passage.ts";
import { answerHttp } from "../refuse-socket.ts";
import { Refusal } from "../refusal.ts";
import { followHalves, resetSocket, type RelayOptions } from "../relay.ts";

export interface Http1Options extends RelayOptions {
  place: HttpPlace;
  gate: RequestGate;
  /** Ends both sides at once. */
  reset(): void;
}

/** A request that has gone on, until it and its answer are whole. */
interface Exchange {
  head: RequestHead;
  isSent: boolean;
  isAnswered: boolean;
  /** The server has said that it wants the body, when the client asks first. */
  isAwaited: boolean;
}

const CONTINUE = 100;
const SWITCHING_PROTOCOLS = 101;

/**
 * Relays HTTP/1, each request decided on its own, the bytes of those that pass unchanged.
 * SECURITY: one request at a time. The next is looked at when the one before is answered, so that the answer to
 * a denied request never overtakes another, and bytes behind an upgrade are taken for anything but requests
 * only after the server has agreed to it.
 */
export function passHttp1(options: Http1Options): Passage {
  return new Http1Passage(options);
}

class Http1Passage implements Passage {
  readonly ended: Promise<RelayEnding>;
  readonly #options: Http1Options;
  readonly #requests: MessageReader<RequestHead>;
  readonly #responses: MessageReader<ResponseHead>;
  #exchange: Exchange | undefined;
  #isTunnel = false;
  /** Nothing more of the client is passed on. */
  #isDeaf = false;
  /** Nothing more of the server is passed on. */
  #isMute = false;
  #status = 0;

  constructor(options: Http1Options) {
    this.#options = options;
    const { client, upstream, place, halfOpenIdleMs } = options;
    this.#requests = new MessageReader((text) => readRequestHead(text, place), REQUEST_RULES);
    const method = (): string => this.#exchange?.head.request.method ?? "";
    this.#responses = new MessageReader((text) => readResponseHead(text, method()), RESPONSE_RULES);
    this.ended = followHalves({ client, upstream, halfOpenIdleMs });
    client.on("data", this.#onRequestBytes).once("end", this.#onClientEnd);
    client.on("drain", this.#onClientDrain);
    upstream.on("data", this.#onResponseBytes).once("end", this.#onUpstreamEnd);
    upstream.on("drain", this.#onUpstreamDrain);
    client.resume();
    upstream.resume();
  }

  reconsider(): void {
    if (this.#exchange === undefined) return;
    if (this.#options.gate.judgeAgain(this.#exchange.head.request) === undefined) return;
    this.#options.reset();
  }

  readonly #onRequestBytes = (bytes: Buffer): void => {
    if (this.#isDeaf) return;
    this.#requests.feed(bytes);
    this.#passRequests();
  };

  readonly #onResponseBytes = (bytes: Buffer): void => {
    this.#responses.feed(bytes);
    this.#passResponses();
  };

  readonly #onUpstreamDrain = (): void => {
    if (!this.#isTunnel) this.#passRequests();
  };

  readonly #onClientDrain = (): void => {
    if (!this.#isTunnel) this.#options.upstream.resume();
  };

  readonly #onClientEnd = (): void => {
    if (!this.#isTunnel && !this.#isDeaf) this.#options.upstream.end();
  };

  /** A server that leaves in the middle of what it says leaves its client with less; the client sees it. */
  readonly #onUpstreamEnd = (): void => {
    if (!this.#isTunnel) this.#options.client.end();
  };

  #passRequests(): void {
    const { client, upstream } = this.#options;
    while (!this.#isDeaf && !this.#isTunnel) {
      const isHeld = this.#requests.isAtHead && this.#exchange !== undefined;
      if (isHeld || upstream.writableNeedDrain) return void client.pause();
      const piece = this.#requests.next();
      if (piece === undefined) return void client.resume();
      this.#passRequest(piece);
    }
  }

  #passRequest(piece: Piece<RequestHead>): void {
    const { upstream } = this.#options;
    switch (piece.kind) {
      case "head":
        return this.#begin(piece.head, piece.bytes);
      case "body":
        return void upstream.write(piece.bytes);
      case "end":
        if (this.#exchange !== undefined) this.#exchange.isSent = true;
        return this.#finishExchange();
      case "problem":
        return this.#refuseMalformed(piece.problem);
    }
  }

  #begin(head: RequestHead, bytes: Buffer): void {
    const refusal = this.#options.gate.judge(head.request);
    if (refusal !== undefined) return this.#answer(refusal, head.request.method);
    this.#exchange = {
      head,
      isSent: false,
      isAnswered: false,
      isAwaited: !head.asksFirst,
    };
    this.#options.upstream.write(bytes);
  }

  #passResponses(): void {
    const { client, upstream } = this.#options;
    while (!this.#isMute && !this.#isTunnel) {
      const piece = this.#responses.next();
      if (piece === undefined) return;
      this.#passResponse(piece);
      if (client.writableNeedDrain) upstream.pause();
    }
  }

  #passResponse(piece: Piece<ResponseHead>): void {
    const { client } = this.#options;
    switch (piece.kind) {
      case "head":
        client.write(piece.bytes);
        return this.#judgeResponse(piece.head);
      case "body":
        return void client.write(piece.bytes);
      case "end":
        return this.#finishResponse();
      case "problem":
        return this.#breakOff(`the server's answer cannot be followed: ${piece.problem.problem}`);
    }
  }

  #judgeResponse({ status }: ResponseHead): void {
    this.#status = status;
    const exchange = this.#exchange;
    if (exchange !== undefined && status === CONTINUE) exchange.isAwaited = true;
    // SECURITY: a server that answers without having wanted the body may read what comes as another request.
    if (exchange?.isAwaited === false && !exchange.isSent && status >= 200) this.#isDeaf = true;
    if (status !== SWITCHING_PROTOCOLS) return;
    if (this.#exchange?.head.isUpgrade === true) return this.#openTunnel();
    this.#breakOff("the server leaves HTTP/1 though nobody asked it to");
  }

  #breakOff(reason: string): void {
    this.#isDeaf = true;
    this.#isMute = true;
    this.#options.gate.refuse(new Refusal("unreachable", reason, { action: "error" }));
    this.#options.reset();
  }

  /** Answers below 200 come before the one that counts. */
  #finishResponse(): void {
    if (this.#exchange === undefined || this.#status < 200) return;
    this.#exchange.isAnswered = true;
    if (this.#isDeaf) this.#options.client.end();
    else this.#finishExchange();
  }

  #finishExchange(): void {
    if (this.#exchange?.isSent !== true || !this.#exchange.isAnswered) return;
    this.#exchange = undefined;
    this.#passRequests();
  }

  #openTunnel(): void {
    const { client, upstream } = this.#options;
    this.#isTunnel = true;
    client.off("data", this.#onRequestBytes);
    upstream.off("data", this.#onResponseBytes);
    upstream.write(this.#requests.takeRest());
    client.write(this.#responses.takeRest());
    client.pipe(upstream);
    upstream.pipe(client);
  }

  #refuseMalformed({ code, problem }: HttpProblem): void {
    const refusal = new Refusal(code, `the request is refused: ${problem}`);
    this.#options.gate.refuse(refusal);
    // While an earlier answer is on its way, another would be taken for a part of it.
    if (this.#exchange === undefined) return this.#answer(refusal, "");
    this.#isDeaf = true;
    this.#options.reset();
  }

  #answer(refusal: Refusal, method: string): void {
    this.#isDeaf = true;
    this.#isMute = true;
    const { client, upstream, gate } = this.#options;
    client.off("data", this.#onRequestBytes);
    upstream.off("data", this.#onResponseBytes).pause();
    const text = gate.explain(refusal);
    const answered = answerHttp(client, { refusal, text, isBodyless: method === "HEAD" });
    void answered.then(() => resetSocket(upstream));
  }
}
