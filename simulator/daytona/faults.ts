import type { Answer } from "./exchange.ts";
import { Refusal } from "./refusal.ts";
import type { SandboxRequest } from "./sandbox-request.ts";

/** What a request meets instead of its answer. */
export type RequestFault =
  /** Any answer at all, such as a gateway's page. */
  | { kind: "answer"; answer: Answer }
  /** An error in the service's own form. */
  | { kind: "refuse"; refusal: Refusal }
  /** The connection is reset before the request is looked at. */
  | { kind: "reset" }
  /** The request is carried out, and the connection reset in place of the answer. */
  | { kind: "reset-after" }
  /** Half open: nothing is ever answered, and the connection stays. */
  | { kind: "silence" }
  /** It is carried out later. */
  | { kind: "delay"; until: Promise<unknown> };

/** What `POST /sandbox` leads to. */
export type CreateFault =
  /** Accepted and answered at once; it starts when the promise resolves. */
  | { kind: "slow"; until: Promise<unknown>; state?: "creating" | "pending_build" }
  | { kind: "error"; reason: string; state?: "error" | "build_failed" };

/** What a terminal's sockets meet. */
export type TerminalFault =
  /** The last bytes of the program never arrive; its exit does, as always. */
  | { kind: "lose-tail"; bytes: number }
  /** The last bytes arrive after the exit was told, when the promise resolves. */
  | { kind: "early-exit"; bytes: number; until: Promise<unknown> }
  /** The connection is torn down, without a close frame, once so many bytes were sent. The program runs on. */
  | { kind: "drop"; afterBytes: number }
  /** From so many bytes on nothing goes through in either direction, and the connection stays. */
  | { kind: "half-open"; afterBytes: number }
  /** A close frame of the service's, such as 1008 `slow consumer`. The program runs on. */
  | { kind: "close"; afterBytes: number; code: number; reason: string }
  /** So many chunks wait for a client before it is dropped as a slow consumer; the service's own number is 256. */
  | { kind: "short-queue"; chunks: number }
  /** The shell comes when so many bytes were typed: till then they wait in the kernel, which keeps 4095 of a line. */
  | { kind: "hold-shell"; bytes: number }
  /** `connected` is told when the promise resolves. */
  | { kind: "late-connected"; until: Promise<unknown> }
  /** No subprotocol is echoed. */
  | { kind: "no-subprotocol" }
  /** The connection ends with an error in a control frame. */
  | { kind: "error"; message: string };

export interface RequestMatch {
  method?: string;
  /** The whole path, from `/api` or `/toolbox` on. */
  path?: RegExp;
}

export interface TerminalMatch {
  sandboxId?: string;
  terminalId?: RegExp;
}

/** A fault that waits for what it matches. */
export interface ArmedFault {
  /** How often it has struck. */
  readonly hits: number;
  /** Resolves once it has struck so often. */
  struck(times?: number): Promise<void>;
  disarm(): void;
}

export interface ArmOptions {
  /** How often it strikes before it is spent; default once. */
  times?: number;
}

class Armed<Fault, Subject> implements ArmedFault {
  readonly fault: Fault;
  readonly matches: (subject: Subject) => boolean;
  hits = 0;
  #left: number;
  readonly #waiting: { times: number; resolve: () => void }[] = [];

  constructor(fault: Fault, matches: (subject: Subject) => boolean, { times = 1 }: ArmOptions) {
    this.fault = fault;
    this.matches = matches;
    this.#left = times;
  }

  get isSpent(): boolean {
    return this.#left <= 0;
  }

  strike(): void {
    this.#left -= 1;
    this.hits += 1;
    for (const each of this.#waiting) if (each.times <= this.hits) each.resolve();
  }

  disarm(): void {
    this.#left = 0;
  }

  async struck(times = 1): Promise<void> {
    if (this.hits >= times) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push({ times, resolve });
    await promise;
  }
}

class Armoury<Fault, Subject> {
  readonly #armed: Armed<Fault, Subject>[] = [];

  arm(fault: Fault, matches: (subject: Subject) => boolean, options: ArmOptions): ArmedFault {
    const armed = new Armed(fault, matches, options);
    this.#armed.push(armed);
    return armed;
  }

  /** The first that matches and is not spent, which has then struck. */
  next(subject: Subject): Fault | undefined {
    const found = this.#armed.find((armed) => !armed.isSpent && armed.matches(subject));
    found?.strike();
    return found?.fault;
  }

  clear(): void {
    for (const armed of this.#armed.splice(0)) armed.disarm();
  }
}

interface RequestSubject {
  method: string;
  path: string;
}

interface TerminalSubject {
  sandboxId: string;
  terminalId: string;
}

/** The switches: each fault is armed for what it is to strike, and counts. The one armed first strikes first. */
export class Faults {
  readonly #requests = new Armoury<RequestFault, RequestSubject>();
  readonly #creations = new Armoury<CreateFault, Partial<SandboxRequest>>();
  readonly #terminals = new Armoury<TerminalFault, TerminalSubject>();

  onRequest(match: RequestMatch, fault: RequestFault, options: ArmOptions = {}): ArmedFault {
    const matches = (subject: RequestSubject): boolean => isMatch(match, subject);
    return this.#requests.arm(fault, matches, options);
  }

  onCreate(fault: CreateFault, options: ArmOptions = {}): ArmedFault {
    return this.#creations.arm(fault, () => true, options);
  }

  /** Strikes when a terminal is made; for a socket that attaches to a living one see `Terminal`. */
  onTerminal(match: TerminalMatch, fault: TerminalFault, options: ArmOptions = {}): ArmedFault {
    const matches = ({ sandboxId, terminalId }: TerminalSubject): boolean =>
      (match.sandboxId ?? sandboxId) === sandboxId && (match.terminalId?.test(terminalId) ?? true);
    return this.#terminals.arm(fault, matches, options);
  }

  nextForRequest(subject: RequestSubject): RequestFault | undefined {
    return this.#requests.next(subject);
  }

  nextForCreation(request: Partial<SandboxRequest>): CreateFault | undefined {
    return this.#creations.next(request);
  }

  nextForTerminal(subject: TerminalSubject): TerminalFault | undefined {
    return this.#terminals.next(subject);
  }

  clear(): void {
    this.#requests.clear();
    this.#creations.clear();
    this.#terminals.clear();
  }
}

export function isMatch({ method, path }: RequestMatch, subject: RequestSubject): boolean {
  return (method ?? subject.method) === subject.method && (path?.test(subject.path) ?? true);
}

/** Faults of requests by name, as the service or what stands before it words them. */
export const REQUEST_FAULTS = {
  serverError: (status: 500 | 502 | 503 | 504 = 502): RequestFault => ({
    kind: "refuse",
    refusal: new Refusal(["api", status], "Simulated failure of the service"),
  }),
  unauthorized: (): RequestFault => ({
    kind: "refuse",
    refusal: new Refusal(["api", 401], "Invalid credentials"),
  }),
  forbidden: (message = "Region us is not available to the organization"): RequestFault => ({
    kind: "refuse",
    refusal: new Refusal(["api", 403], message),
  }),
  /** `throttler` as the service names them: `authenticated`, `sandbox-create`, `sandbox-lifecycle`. */
  rateLimit: (throttler = "sandbox-create", retryAfterSeconds = 1): RequestFault => ({
    kind: "refuse",
    refusal: new Refusal(["api", 429], "ThrottlerException: Too Many Requests", {
      headers: {
        [`X-RateLimit-Limit-${throttler}`]: "300",
        [`X-RateLimit-Remaining-${throttler}`]: "0",
        [`X-RateLimit-Reset-${throttler}`]: String(retryAfterSeconds),
        [`Retry-After-${throttler}`]: String(retryAfterSeconds),
        "Retry-After": String(retryAfterSeconds),
      },
    }),
  }),
  /** A page of something that stands before the API: a captive portal, or a gateway's own error. */
  html: (status = 200): RequestFault => ({
    kind: "answer",
    answer: {
      status,
      headers: { "content-type": "text/html; charset=utf-8" },
      body: "<!doctype html><title>Simulated gateway</title><p>This is no API.</p>\n",
    },
  }),
} as const;
