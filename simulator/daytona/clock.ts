/** The service's clock: the machine's, shifted. Advancing it is how hours pass in a test. */
export class ServiceClock {
  #aheadMs = 0;
  readonly #onAdvance: () => Promise<void>;

  constructor(onAdvance: () => Promise<void>) {
    this.#onAdvance = onAdvance;
  }

  now(): number {
    return Date.now() + this.#aheadMs;
  }

  date(): Date {
    return new Date(this.now());
  }

  /** Lets time pass, and what falls due happen, before it resolves. */
  async advance(ms: number): Promise<void> {
    this.#aheadMs += ms;
    await this.#onAdvance();
  }

  /** Sets the clock wrong without anything falling due: what a client with another clock meets. */
  skew(ms: number): void {
    this.#aheadMs += ms;
  }
}
