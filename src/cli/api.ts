import { ERROR_CODES, type ErrorCode } from "../errors/codes.ts";
import { CattlegridError } from "../errors/error.ts";
import { type HttpAnswer, readText, sendRequest } from "../platform/http-client.ts";
import { EventStreamReader } from "../protocol/event-stream.ts";
import type { Problem } from "../protocol/problem.ts";
import { API_VERSION, API_VERSION_HEADER } from "../protocol/version.ts";

/** Finds the socket of a daemon that answers; most verbs start one when there is none. */
export type FindSocket = (signal: AbortSignal) => Promise<string>;

export interface Call {
  body?: unknown;
  /** Default: the client's own signal. */
  signal?: AbortSignal;
}

const GOING_AWAY = new Set(["ECONNREFUSED", "ENOENT", "ECONNRESET", "EPIPE"]);
const ATTEMPTS = 3;

/** The daemon's API as the verbs use it. Answers that are problems are thrown as the errors they tell of. */
export class Api {
  readonly #find: FindSocket;
  readonly signal: AbortSignal;
  #socket: Promise<string> | undefined;

  constructor(find: FindSocket, signal: AbortSignal) {
    this.#find = find;
    this.signal = signal;
  }

  /** The socket all calls go to; looked up once. */
  socket(): Promise<string> {
    this.#socket ??= this.#find(this.signal);
    return this.#socket;
  }

  async get<T>(path: string): Promise<T> {
    return this.#json("GET", path, {});
  }

  async post<T>(path: string, body?: unknown): Promise<T> {
    return this.#json("POST", path, body === undefined ? {} : { body });
  }

  async delete(path: string, call: Call = {}): Promise<void> {
    await this.#json("DELETE", path, call);
  }

  /** Server-sent events, until the server ends them. A call with a body is a POST. */
  async *events<T>(path: string, call: Call = {}): AsyncGenerator<T> {
    const method = call.body === undefined ? "GET" : "POST";
    const { body } = await this.#send(method, path, call);
    const reader = new EventStreamReader();
    try {
      for await (const chunk of body) {
        for (const data of reader.push(chunk as Buffer)) yield JSON.parse(data) as T;
      }
    } catch (error) {
      throw this.#explain(error, call);
    }
  }

  /** Opens a stream for the sake of its connection, which lasts until `signal` aborts; what comes is passed over. */
  async hold(path: string, signal: AbortSignal): Promise<void> {
    const { body } = await this.#send("GET", path, { signal });
    body.resume();
    // Whatever needs the daemon notices by itself when it has gone.
    body.on("error", () => undefined);
  }

  /** The bytes of an answer that is no JSON document. */
  async *bytes(path: string): AsyncGenerator<Buffer> {
    const { body } = await this.#send("GET", path, {});
    try {
      for await (const chunk of body) yield chunk as Buffer;
    } catch (error) {
      throw this.#explain(error, {});
    }
  }

  async #json<T>(method: string, path: string, call: Call): Promise<T> {
    const { body } = await this.#send(method, path, call);
    try {
      const text = await readText(body);
      return (text === "" ? undefined : JSON.parse(text)) as T;
    } catch (error) {
      throw this.#explain(error, call);
    }
  }

  async #send(method: string, path: string, call: Call): Promise<HttpAnswer> {
    const answer = await this.#connect(method, path, call);
    checkApiVersion(answer.headers[API_VERSION_HEADER]);
    if (answer.status < 400) return answer;
    throw readProblem(await readText(answer.body), `${method} ${path}`, answer.status);
  }

  /** A daemon that was just leaving refuses or resets the connection before it reads the request. */
  async #connect(method: string, path: string, call: Call): Promise<HttpAnswer> {
    const signal = call.signal ?? this.signal;
    const accept = { accept: "application/json, text/event-stream" };
    for (let attempt = 1; ; attempt++) {
      const socketPath = await this.socket();
      try {
        const headers = path.endsWith("/start") ? { accept: "text/event-stream" } : accept;
        return await sendRequest({ socketPath, method, path, headers, signal, body: call.body });
      } catch (error) {
        const isGoing = GOING_AWAY.has(String((error as NodeJS.ErrnoException).code));
        if (!isGoing || attempt === ATTEMPTS) throw this.#explain(error, call);
        this.#socket = undefined;
      }
    }
  }

  #explain(error: unknown, call: Call): unknown {
    const signal = call.signal ?? this.signal;
    if (signal.aborted) return signal.reason;
    if (CattlegridError.is(error)) return error;
    const message = "The daemon ended the connection before it had answered.";
    return new CattlegridError("DAEMON_UNREACHABLE", message, { cause: error });
  }
}

/** An absent header says nothing; another major means that neither side understands the other. */
export function checkApiVersion(header: string | string[] | undefined): void {
  const text = String(header ?? API_VERSION.major);
  if (Number.parseInt(text, 10) === API_VERSION.major) return;
  const message = `The daemon speaks version ${text} of the API, this program version ${API_VERSION.major}.`;
  throw new CattlegridError("DAEMON_VERSION_MISMATCH", message);
}

/** Reads an `application/problem+json` document as the error it tells of. */
export function readProblem(text: string, request: string, status: number): CattlegridError {
  const problem = parseProblem(text);
  if (problem !== undefined) return toError(problem);
  return new CattlegridError("INTERNAL", `The daemon answered ${request} with status ${status}.`);
}

/** A newer daemon may tell of a code that this program does not know: it is then shown in the text. */
export function toError({ code, detail, hint, details }: Problem): CattlegridError {
  const known = Object.hasOwn(ERROR_CODES, code);
  const message = known ? detail : `${detail} (${code})`;
  const facts = details === undefined ? {} : { details };
  return new CattlegridError(known ? (code as ErrorCode) : "INTERNAL", message, { hint, ...facts });
}

function parseProblem(text: string): Problem | undefined {
  try {
    const value = JSON.parse(text) as Partial<Problem> | null;
    return typeof value?.code === "string" ? (value as Problem) : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** A sandbox's path in the API. */
export function sandboxPath(idOrName: string, rest = ""): string {
  if (idOrName === "") throw new CattlegridError("NAME_INVALID", "A sandbox's name is empty.");
  return `/v1/sandboxes/${encodeURIComponent(idOrName)}${rest}`;
}
