import type { Logger } from "../../platform/logger.ts";
import type { ProfilePlace } from "../../login/profile-name.ts";

/** A clock that jumps, or a service that is down, makes nobody ask in a loop. */
const WAIT_MS_MIN = 30_000;
/** What a timer of Node's can wait. */
const WAIT_MS_MAX = 24 * 60 * 60 * 1000;

export interface RenewalWatchOptions {
  now(): Date;
  logger: Logger;
  /** Renews the profile's sign-in where it is in use; whoever has it then calls `expect` anew. */
  renew(place: ProfilePlace): Promise<void>;
}

/** Sees to it that a sign-in in use is renewed before it ends, though no session begins and no turn. */
export class RenewalWatch implements Disposable {
  readonly #options: RenewalWatchOptions;
  readonly #timers = new Map<string, NodeJS.Timeout>();
  #isClosed = false;

  constructor(options: RenewalWatchOptions) {
    this.#options = options;
  }

  /** Of several calls for one profile the last counts. */
  expect(place: ProfilePlace, renewsAt: Date | undefined): void {
    const key = JSON.stringify([place.owner, place.agent, place.profile]);
    clearTimeout(this.#timers.get(key));
    this.#timers.delete(key);
    if (renewsAt === undefined || this.#isClosed) return;
    const waitMs = renewsAt.getTime() - this.#options.now().getTime();
    const timer = setTimeout(
      () => {
        this.#timers.delete(key);
        void this.#renew(place);
      },
      Math.min(WAIT_MS_MAX, Math.max(WAIT_MS_MIN, waitMs)),
    );
    timer.unref();
    this.#timers.set(key, timer);
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }

  async #renew(place: ProfilePlace): Promise<void> {
    try {
      await this.#options.renew(place);
    } catch (error) {
      const { agent, profile } = place;
      this.#options.logger.warn("a sign-in was not renewed", { agent, profile, error });
      this.expect(place, this.#options.now());
    }
  }
}
