import { setTimeout as delay } from "node:timers/promises";
import { CattlegridError } from "../../../errors/error.ts";
import { PATIENCE, type Patience } from "./patience.ts";
import { explainConnection, explainForeignAnswer, explainRefusal } from "./service-failure.ts";

const TRIES = 5;
const PAUSE_MS_MAX = 8_000;
/** What a service may ask us to wait at most before its own limit lets us in again. */
const LIMIT_PAUSE_MS_MAX = 60_000;
const MESSAGE_CHARACTERS_MAX = 500;

export interface ApiClientOptions {
  /** Where the control API is, without a slash at its end. */
  url: string;
  /** SECURITY: asked for at each call and kept nowhere here. */
  key(): Promise<string>;
  patience?: Partial<Patience>;
}

export interface Call {
  method: "GET" | "POST" | "PUT" | "DELETE";
  /** Below the API, or a whole address of the same service. */
  path: string;
  query?: Readonly<Record<string, string>>;
  /** Sent as JSON, or as the form that it is. */
  body?: object | FormData;
  /** Whether it may be sent again when nobody knows what became of it. Default: all but POST. */
  isRepeatable?: boolean;
  /** Default 60 seconds. */
  timeoutMs?: number;
  signal: AbortSignal;
}

/** Daytona's HTTP API: who we are, how often we try, and what went wrong. Knows nothing of sandboxes. */
export class ApiClient {
  readonly url: string;
  readonly patience: Patience;
  readonly #key: () => Promise<string>;

  constructor({ url, key, patience }: ApiClientOptions) {
    this.patience = { ...PATIENCE, ...patience };
    this.url = url;
    this.#key = key;
  }

  /** The answer in JSON; undefined where there is none. Throws PROVIDER_… codes, SANDBOX_NOT_RUNNING, and the signal's reason. */
  async call(call: Call): Promise<unknown> {
    const isRepeatable = call.isRepeatable ?? call.method !== "POST";
    for (
      let { pauseMs } = this.patience, tries = 1;
      ;
      pauseMs = Math.min(pauseMs * 2, PAUSE_MS_MAX)
    ) {
      const outcome = await this.#try(call);
      if ("value" in outcome) return outcome.value;
      // A limit is told before anything was done.
      const mayRepeat = isRepeatable || outcome.error.code === "PROVIDER_RATE_LIMITED";
      if (!outcome.isPassing || !mayRepeat || tries === TRIES) throw outcome.error;
      tries += 1;
      await delay(outcome.waitMs ?? pauseMs * (0.5 + Math.random()), undefined, {
        signal: call.signal,
      }).catch(() => call.signal.throwIfAborted());
    }
  }

  /** For a WebSocket to the same service. */
  async headers(): Promise<Record<string, string>> {
    return { authorization: `Bearer ${await this.#key()}`, "x-daytona-source": "cattlegrid" };
  }

  async #try(call: Call): Promise<Outcome> {
    const { signal, timeoutMs = this.patience.answerMs } = call;
    signal.throwIfAborted();
    const headers = await this.headers();
    const url = addressOf(this.url, call);
    try {
      // A half-open connection says nothing for ever.
      const deadline = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
      const answer = await fetch(url, { ...describe(call, headers), signal: deadline });
      return judge(call, answer, { text: await answer.text(), secret: headers["authorization"] });
    } catch (error) {
      signal.throwIfAborted();
      if (CattlegridError.is(error)) throw error;
      return { error: explainConnection(error, url), isPassing: true };
    }
  }
}

type Outcome = { value: unknown } | { error: CattlegridError; isPassing: boolean; waitMs?: number };

function addressOf(base: string, { path, query }: Call): string {
  const url = new URL(path.startsWith("/") ? base + path : path);
  for (const [name, value] of Object.entries(query ?? {})) url.searchParams.set(name, value);
  return url.href;
}

/** SECURITY: a redirection is not followed, so that the key goes to no other host. */
function describe({ method, body }: Call, headers: Record<string, string>): RequestInit {
  const common = { method, headers, redirect: "manual" as const };
  if (body === undefined) return common;
  if (body instanceof FormData) return { ...common, body };
  const json = { ...headers, "content-type": "application/json" };
  return { ...common, headers: json, body: JSON.stringify(body) };
}

function judge(
  call: Call,
  answer: Response,
  { text, secret }: { text: string; secret: string | undefined },
): Outcome {
  const { status, headers } = answer;
  const parsed = parse(text);
  if (answer.ok && (parsed !== undefined || text.trim() === "")) return { value: parsed };
  const isPassing = status === 408 || status === 429 || status >= 500;
  const type = headers.get("content-type") ?? "";
  if (status < 400 || (parsed === undefined && type.includes("html"))) {
    return { error: explainForeignAnswer(answer.url, status, type), isPassing };
  }
  const message = withoutKey(messageOf(parsed, text), secret);
  const { pathname: path } = new URL(answer.url);
  const error = explainRefusal({ status, message, method: call.method, path });
  const waitMs = status === 429 ? waitOf(headers) : undefined;
  return { error, isPassing, ...(waitMs === undefined ? {} : { waitMs }) };
}

/** SECURITY: whatever the service repeats of what we sent, the key is not shown. */
function withoutKey(text: string, authorization = ""): string {
  const key = authorization.slice("Bearer ".length);
  return key === "" ? text : text.replaceAll(key, "***");
}

function parse(text: string): unknown {
  try {
    return text.trim() === "" ? undefined : JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function messageOf(parsed: unknown, text: string): string {
  const { message } = (parsed ?? {}) as { message?: unknown };
  const told = Array.isArray(message) ? message.join(", ") : message;
  return (typeof told === "string" ? told : text).slice(0, MESSAGE_CHARACTERS_MAX);
}

/** By durations alone: what a header says of a time of day depends on two clocks. */
function waitOf(headers: Headers): number | undefined {
  for (const [name, value] of headers) {
    const seconds = Number(value);
    if (!name.startsWith("retry-after") || !Number.isFinite(seconds)) continue;
    return Math.min(Math.max(seconds, 0) * 1000, LIMIT_PAUSE_MS_MAX);
  }
  return undefined;
}
