/** One operation at a time for each id; those of different ones do not wait for each other. */
export class OperationQueues {
  /** What each operation that came last of an id ends with; gone once nothing waits any more. */
  readonly #queues = new Map<string, Promise<unknown>>();

  run<T>(id: string, work: () => Promise<T>): Promise<T> {
    const done = (this.#queues.get(id) ?? Promise.resolve()).then(work);
    const settled = Promise.allSettled([done]);
    this.#queues.set(id, settled);
    void settled.then(() => {
      if (this.#queues.get(id) === settled) this.#queues.delete(id);
    });
    return done;
  }

  /** Waits for what is under way. */
  async finish(id: string): Promise<void> {
    await this.#queues.get(id);
  }
}
