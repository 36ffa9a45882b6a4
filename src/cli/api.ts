import type { Duplex } from "node:stream";
import { checkApiVersion, readMinor, readProblem } from "../client/problem.ts";
import { CattlegridError } from "../errors/error.ts";
import { type HttpAnswer, readText, sendRequest, sendUpgrade } from "../platform/http-client.ts";
import { EventStreamReader } from "../protocol/event-stream.ts";
import { API_VERSION, API_VERSION_HEADER } from "../protocol/version.ts";

export { checkApiVersion, readProblem, toError } from "../client/problem.ts";

/** Finds the socket of a daemon that answers; most verbs start one when there is none. */
export type FindSocket = (signal: AbortSignal) => Promise<string>;

type AnswerLack = (problem: CattlegridError) => Promise<((api: Api) => Promise<void>) | undefined>;

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
  readonly #answerLack: AnswerLack;
  /** Once is enough: what was not understood then will not be the next time. */
  #hasAnsweredLack = false;
  readonly signal: AbortSignal;
  #socket: Promise<string> | undefined;
  #minor = 0;

  /** `answerLack`: tells the daemon what of a sandbox provider's settings it lacks and the caller has. */
  constructor(
    find: FindSocket,
    signal: AbortSignal,
    answerLack: AnswerLack = async () => undefined,
  ) {
    this.#find = find;
    this.#answerLack = answerLack;
    this.signal = signal;
  }

  /** The socket all calls go to; looked up once. */
  socket(): Promise<string> {
    this.#socket ??= this.#find(this.signal);
    return this.#socket;
  }

  /** The minor version of the API that the daemon said last: what it lacks is not asked of it. */
  get minor(): number {
    return this.#minor;
  }

  async get<T>(path: string): Promise<T> {
    return this.#json("GET", path, {});
  }

  async post<T>(path: string, body?: unknown): Promise<T> {
    return this.#json("POST", path, body === undefined ? {} : { body });
  }

  async put<T>(path: string, body: unknown): Promise<T> {
    return this.#json("PUT", path, { body });
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

  /**
   * Opens a stream for the sake of its connection, which lasts until `signal` aborts; what comes is passed over. Its end, or
   * the daemon's, resolves `ended`.
   */
  async hold(path: string, signal: AbortSignal): Promise<{ ended: Promise<void> }> {
    const { body } = await this.#send("GET", path, { signal });
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    body.resume();
    body.on("error", () => resolve());
    body.once("close", resolve);
    return { ended };
  }

  /** A connection of plain bytes both ways; half open ends stay half open. */
  async connect(path: string): Promise<Duplex> {
    const request = { method: "GET", path, signal: this.signal };
    const answer = await sendUpgrade({ ...request, socketPath: await this.socket() }, "tcp");
    if ("socket" in answer) {
      if (answer.head.length > 0) answer.socket.unshift(answer.head);
      return answer.socket;
    }
    throw readProblem(await readText(answer.body), `GET ${path}`, answer.status);
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
    this.#minor = readMinor(answer.headers[API_VERSION_HEADER]);
    if (answer.status < 400) return answer;
    const problem = readProblem(await readText(answer.body), `${method} ${path}`, answer.status);
    const tell = this.#hasAnsweredLack ? undefined : await this.#answerLack(problem);
    if (tell === undefined) throw explainAge(problem, this.#minor);
    this.#hasAnsweredLack = true;
    await tell(this);
    return this.#send(method, path, call);
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

/** A daemon of before refuses what it does not know, and cannot know that it is known by now. */
function explainAge(error: CattlegridError, minor: number): CattlegridError {
  if (error.code !== "REQUEST_INVALID" || minor >= API_VERSION.minor) return error;
  const { major } = API_VERSION;
  const age = `the daemon speaks API ${major}.${minor}, this program ${major}.${API_VERSION.minor}`;
  return new CattlegridError("REQUEST_INVALID", `${error.message} (${age})`, {
    hint: "Run `cattlegrid daemon stop`; the next command starts a daemon of this version.",
  });
}

/** A sandbox's path in the API. */
export function sandboxPath(idOrName: string, rest = ""): string {
  if (idOrName === "") throw new CattlegridError("NAME_INVALID", "A sandbox's name is empty.");
  return `/v1/sandboxes/${encodeURIComponent(idOrName)}${rest}`;
}
