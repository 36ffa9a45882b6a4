import type { IncomingMessage } from "node:http";
import { CattlegridError } from "../errors/error.ts";
import { readText, sendRequest } from "../platform/http-client.ts";
import { EventStreamReader } from "../protocol/event-stream.ts";
import type { Route } from "../protocol/route.ts";
import { API_VERSION_HEADER } from "../protocol/version.ts";
import { fitRequest } from "./negotiation.ts";
import { checkApiVersion, readMinor, readProblem } from "./problem.ts";

/** What an operation is called with; parameters of the path are fields of their own. */
export interface Input {
  body?: unknown;
  query?: Readonly<Record<string, string | undefined>>;
  signal?: AbortSignal;
  /** Of a stream of events: goes on behind this one. */
  lastEventId?: string;
}

export interface Operation {
  name: string;
  route: Route;
}

/** By the operation's name: fields of a body that the caller leaves open. */
export type Defaults = Readonly<Record<string, object>>;

const NEVER = new AbortController().signal;

/** Speaks HTTP to one socket, and asks nothing of a daemon that its version does not have. */
export class Transport {
  readonly socket: string;
  readonly #defaults: Defaults;
  #minor: Promise<number> | undefined;

  constructor(socket: string, defaults: Defaults = {}) {
    this.socket = socket;
    this.#defaults = defaults;
  }

  async document(operation: Operation, input: Input): Promise<unknown> {
    const { body } = await this.#send(operation, input, "application/json");
    const text = await readText(body);
    return text === "" ? undefined : (JSON.parse(text) as unknown);
  }

  async *events(operation: Operation, input: Input): AsyncGenerator<unknown> {
    const { body } = await this.#send(operation, input, "text/event-stream");
    const reader = new EventStreamReader();
    for await (const bytes of readWhole(body, input)) {
      for (const data of reader.push(bytes)) yield JSON.parse(data) as unknown;
    }
  }

  async *lines(operation: Operation, input: Input): AsyncGenerator<unknown> {
    const { body } = await this.#send(operation, input, "application/jsonl");
    let rest = "";
    const decoder = new TextDecoder();
    for await (const bytes of readWhole(body, input)) {
      const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) yield JSON.parse(line) as unknown;
    }
  }

  async *bytes(operation: Operation, input: Input): AsyncGenerator<Uint8Array> {
    const { body } = await this.#send(operation, input, operation.route.download ?? "*/*");
    yield* readWhole(body, input);
  }

  /** The first thing that is asked of a daemon, once. */
  minor(signal: AbortSignal): Promise<number> {
    this.#minor ??= this.#askMinor(signal);
    return this.#minor;
  }

  async #askMinor(signal: AbortSignal): Promise<number> {
    try {
      const { body, headers } = await this.#ask({ method: "GET", path: "/v1/version", signal });
      body.resume();
      return readMinor(headers[API_VERSION_HEADER]);
    } catch (error) {
      // Whoever asks next asks again.
      this.#minor = undefined;
      throw error;
    }
  }

  async #send(
    { name, route }: Operation,
    input: Input,
    accept: string,
  ): Promise<{ body: IncomingMessage }> {
    const signal = input.signal ?? NEVER;
    const minor = await this.minor(signal);
    const wanted = Object.hasOwn(this.#defaults, name)
      ? { ...this.#defaults[name], ...(input.body as object | undefined) }
      : input.body;
    const body = fitRequest({ route, name, minor }, wanted);
    return this.#ask({
      method: route.method,
      path: describePath(route, input),
      headers: {
        accept,
        ...(input.lastEventId === undefined ? {} : { "last-event-id": input.lastEventId }),
      },
      body: body ?? (route.body === undefined ? undefined : {}),
      signal,
    });
  }

  async #ask(
    request: Omit<Parameters<typeof sendRequest>[0], "socketPath">,
  ): ReturnType<typeof sendRequest> {
    const answer = await this.#connect(request);
    checkApiVersion(answer.headers[API_VERSION_HEADER]);
    if (answer.status < 400) return answer;
    const { method, path } = request;
    throw readProblem(await readText(answer.body), `${method} ${path}`, answer.status);
  }

  async #connect(
    request: Omit<Parameters<typeof sendRequest>[0], "socketPath">,
  ): ReturnType<typeof sendRequest> {
    try {
      return await sendRequest({ ...request, socketPath: this.socket });
    } catch (error) {
      if (request.signal.aborted) throw error;
      const message = `Nothing answers at ${this.socket}.`;
      throw new CattlegridError("DAEMON_UNREACHABLE", message, { cause: error });
    }
  }
}

/** A stream that its reader leaves closes its connection; one that breaks says so. */
async function* readWhole(body: IncomingMessage, { signal }: Input): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of body) yield chunk as Buffer;
  } catch (error) {
    if (signal?.aborted === true) throw signal.reason;
    const message = "The daemon ended the connection before it had answered.";
    throw new CattlegridError("DAEMON_UNREACHABLE", message, { cause: error });
  } finally {
    body.destroy();
  }
}

function describePath({ path }: Route, input: Input): string {
  const values = input as Readonly<Record<string, unknown>>;
  const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const value = values[name];
    if (typeof value === "string" && value !== "") return encodeURIComponent(value);
    throw new CattlegridError("REQUEST_INVALID", `${name} is missing.`);
  });
  const query = Object.entries(input.query ?? {}).filter(([, value]) => value !== undefined);
  if (query.length === 0) return filled;
  return `${filled}?${new URLSearchParams(query as [string, string][]).toString()}`;
}
