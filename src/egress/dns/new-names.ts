import type { Rule } from "../policy/rule.ts";

/** Names of one wildcard rule that may be new within a minute. */
export const NEW_NAMES_MAX = 60;
const WINDOW_MS = 60_000;

/**
 * Counts the names that a sandbox asks for first, by the wildcard rule that allows them. SECURITY: each one that is
 * connected to is looked up outside, so whoever serves the zone reads its labels; a program that needs a host needs few
 * names of it, and one that writes data into names needs many.
 */
export class NewNames {
  readonly #now: () => number;
  readonly #windows = new Map<string, { startsAtMs: number; count: number }>();

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Whether the rule may have one more. A rule for one name, or for every name there is, may always. */
  take({ id, target }: Rule): boolean {
    if (target.kind !== "host" || target.pattern.kind === "exact" || target.pattern.name === "") {
      return true;
    }
    const now = this.#now();
    const known = this.#windows.get(id);
    const isOver = known === undefined || now - known.startsAtMs >= WINDOW_MS;
    const window = isOver ? { startsAtMs: now, count: 0 } : known;
    this.#windows.set(id, window);
    window.count += 1;
    return window.count <= NEW_NAMES_MAX;
  }
}
