import { isMatch, type RequestMatch } from "./faults.ts";

export interface LoggedRequest {
  method: string;
  path: string;
  query: string;
  /** Of the answer; absent while there is none. 101 for a WebSocket. */
  status?: number;
  source: string | undefined;
}

/** Every request that came, for tests to count and to wait for. */
export class RequestLog {
  readonly requests: LoggedRequest[] = [];
  readonly #waiting: { match: RequestMatch; times: number; resolve: () => void }[] = [];

  add(request: LoggedRequest): void {
    this.requests.push(request);
  }

  /** To be called when `status` was set. */
  answered(): void {
    for (const each of this.#waiting) {
      if (this.count(each.match) >= each.times) each.resolve();
    }
  }

  /** How many were answered. */
  count(match: RequestMatch): number {
    return this.requests.filter((each) => each.status !== undefined && isMatch(match, each)).length;
  }

  /** Resolves once so many were answered. */
  async until(match: RequestMatch, times = 1): Promise<void> {
    if (this.count(match) >= times) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push({ match, times, resolve });
    await promise;
  }
}
