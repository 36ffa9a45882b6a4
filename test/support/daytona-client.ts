import { WebSocket } from "ws";
import type { FakeDaytona } from "../../simulator/daytona/daytona.ts";

const EXIT_CONTROL = "X-Daytona-Pty-Exit-Control";

export interface RawAnswer {
  status: number;
  headers: Headers;
  text: string;
  /** The body as JSON; undefined when it is none. */
  // oxlint-disable-next-line typescript/no-explicit-any -- what a wire test looks at is of any shape
  json: any;
}

/** Speaks the wire protocol with nothing between: what a test of the fake itself looks at. */
export class RawDaytona {
  readonly #fake: Pick<FakeDaytona, "url" | "key">;

  constructor(fake: Pick<FakeDaytona, "url" | "key">) {
    this.#fake = fake;
  }

  api(method: string, path: string, body?: object): Promise<RawAnswer> {
    return this.send(method, this.#fake.url + path, body);
  }

  toolbox(sandboxId: string): (method: string, path: string, body?: object) => Promise<RawAnswer> {
    return (method, path, body) => this.send(method, this.toolboxUrl(sandboxId) + path, body);
  }

  toolboxUrl(sandboxId: string): string {
    return `${new URL(this.#fake.url).origin}/toolbox/${sandboxId}`;
  }

  async send(method: string, url: string, body?: object | FormData): Promise<RawAnswer> {
    const isForm = body instanceof FormData;
    const answer = await fetch(url, {
      method,
      headers: {
        authorization: `Bearer ${this.#fake.key}`,
        ...(body === undefined || isForm ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: isForm ? body : JSON.stringify(body) }),
    });
    const text = await answer.text();
    return { status: answer.status, headers: answer.headers, text, json: parse(text) };
  }

  /** Makes a sandbox and returns its id. */
  async make(request: object = {}): Promise<string> {
    const { status, json, text } = await this.api("POST", "/sandbox", request);
    if (status !== 200) throw new Error(text);
    return (json as { id: string }).id;
  }

  terminal(sandboxId: string, id: string, query = ""): RawTerminal {
    const path = `/process/pty/create-connect?id=${id}&cols=80&rows=24${query}`;
    return this.socket(this.toolboxUrl(sandboxId) + path);
  }

  attach(sandboxId: string, id: string): RawTerminal {
    return this.socket(`${this.toolboxUrl(sandboxId)}/process/pty/${id}/connect`);
  }

  socket(url: string, protocols: readonly string[] = [EXIT_CONTROL]): RawTerminal {
    const headers = { authorization: `Bearer ${this.#fake.key}` };
    return new RawTerminal(new WebSocket(url.replace(/^http/, "ws"), [...protocols], { headers }));
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A WebSocket of a terminal, with everything that came of it in order. */
export class RawTerminal {
  readonly socket: WebSocket;
  /** Control frames as objects, output as text. */
  readonly frames: (object | string)[] = [];
  /** Resolves when it is closed, or refused with an HTTP answer. */
  readonly closed: Promise<{ code: number; reason: string } | { status: number; body: string }>;
  #wake = Promise.withResolvers<void>();

  constructor(socket: WebSocket) {
    this.socket = socket;
    const { promise, resolve } = Promise.withResolvers<Awaited<RawTerminal["closed"]>>();
    this.closed = promise;
    socket.on("message", (data: Buffer, isBinary) => {
      this.frames.push(isBinary ? data.toString() : (JSON.parse(data.toString()) as object));
      this.#changed();
    });
    socket.on("unexpected-response", (_request, response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }),
      );
    });
    socket.on("error", () => undefined);
    socket.on("close", (code, reason) => {
      resolve({ code, reason: reason.toString() });
      this.#changed();
    });
  }

  get output(): string {
    return this.frames.filter((frame) => typeof frame === "string").join("");
  }

  get controls(): object[] {
    return this.frames.filter((frame) => typeof frame === "object");
  }

  /** Resolves once the output matches; rejects when the socket closes before. */
  async until(pattern: RegExp): Promise<void> {
    await this.#until(() => pattern.test(this.output), String(pattern));
  }

  async untilConnected(): Promise<void> {
    await this.#until(() => this.controls.length > 0, "connected");
  }

  type(text: string): void {
    this.socket.send(Buffer.from(text));
  }

  async #until(isSo: () => boolean, what: string): Promise<void> {
    while (!isSo()) {
      if (this.socket.readyState === WebSocket.CLOSED) throw new Error(`closed before ${what}`);
      await this.#wake.promise;
    }
  }

  #changed(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers<void>();
  }
}
