/** One operation at a time for each sandbox; those of different ones do not wait for each other. */
export class OperationQueues {
  readonly #queues = new Map<string, Promise<unknown>>();

  run<T>(id: string, work: () => Promise<T>): Promise<T> {
    const done = (this.#queues.get(id) ?? Promise.resolve()).then(work);
    this.#queues.set(id, Promise.allSettled([done]));
    return done;
  }

  /** Waits for what is under way, and forgets the sandbox. */
  async finish(id: string): Promise<void> {
    await this.#queues.get(id);
    this.#queues.delete(id);
  }
}
