import { once } from "node:events";
import { request, type IncomingMessage } from "node:http";

export interface Answer {
  status: number;
  type: string;
  body: Record<string, unknown>;
  text: string;
}

export interface Call {
  method?: string;
  body?: unknown;
  /** Sent instead of `body` as it is. */
  raw?: string;
  accept?: string;
  headers?: Readonly<Record<string, string>>;
  signal?: AbortSignal;
}

/** Speaks HTTP to a unix socket, without any code of the product. */
export class ApiClient {
  readonly socket: string;

  constructor(socket: string) {
    this.socket = socket;
  }

  async open(path: string, call: Call = {}): Promise<IncomingMessage> {
    const text = call.raw ?? (call.body === undefined ? undefined : JSON.stringify(call.body));
    const sent = request({
      socketPath: this.socket,
      path,
      method: call.method ?? (text === undefined ? "GET" : "POST"),
      headers: {
        ...(text === undefined ? {} : { "content-type": "application/json" }),
        ...(call.accept === undefined ? {} : { accept: call.accept }),
        ...call.headers,
      },
      agent: false,
      ...(call.signal === undefined ? {} : { signal: call.signal }),
    });
    sent.end(text);
    const [answer] = (await once(sent, "response")) as [IncomingMessage];
    return answer;
  }

  async call(path: string, call: Call = {}): Promise<Answer> {
    const answer = await this.open(path, call);
    const chunks: Buffer[] = [];
    for await (const chunk of answer) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString("utf8");
    const type = String(answer.headers["content-type"] ?? "");
    const body =
      type.includes("json") && !type.includes("jsonl") ? (JSON.parse(text) as object) : {};
    return { status: answer.statusCode ?? 0, type, body: { ...body }, text };
  }

  /** Server-sent events until the server ends them. */
  async *events(path: string, call: Call = {}): AsyncGenerator<Record<string, unknown>> {
    const answer = await this.open(path, { accept: "text/event-stream", ...call });
    yield* readEvents(answer);
  }
}

export async function* readEvents(
  answer: IncomingMessage,
): AsyncGenerator<Record<string, unknown>> {
  let text = "";
  for await (const chunk of answer) {
    text += (chunk as Buffer).toString("utf8");
    for (let end = text.indexOf("\n\n"); end !== -1; end = text.indexOf("\n\n")) {
      const event = text.slice(0, end);
      text = text.slice(end + 2);
      if (event.startsWith("data: ")) yield JSON.parse(event.slice(6)) as Record<string, unknown>;
    }
  }
}
