import { CattlegridError } from "../errors/error.ts";
import { type Api, sandboxPath } from "./api.ts";

const REMOVE_TIMEOUT_MS = 20_000;

/**
 * Holds the connection that an ephemeral sandbox lives by: however this program ends, the daemon removes the sandbox.
 * Disposing removes it here and now, so that it is gone when the program is.
 */
export class Lease implements AsyncDisposable {
  readonly #api: Api;
  readonly #sandboxId: string;
  readonly #connection = new AbortController();
  #isKept = false;

  private constructor(api: Api, sandboxId: string) {
    this.#api = api;
    this.#sandboxId = sandboxId;
  }

  static async take(api: Api, sandboxId: string): Promise<Lease> {
    const lease = new Lease(api, sandboxId);
    await lease.#open();
    return lease;
  }

  /** The sandbox is not ephemeral any more. */
  async keep(): Promise<void> {
    await this.#api.post(sandboxPath(this.#sandboxId, "/keep"), {});
    this.#isKept = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isKept) return this.#connection.abort();
    const signal = AbortSignal.timeout(REMOVE_TIMEOUT_MS);
    await hasten(this.#api.delete(sandboxPath(this.#sandboxId), { signal }));
    this.#connection.abort();
  }

  /** Resolves when the daemon has answered, which is when it counts the connection. */
  async #open(): Promise<void> {
    const path = sandboxPath(this.#sandboxId, "/lease");
    await this.#api.hold(path, this.#connection.signal);
  }
}

/**
 * For what a closing connection ends anyway: asking makes it sooner, and a failure to ask changes nothing about what
 * this program has to say.
 */
export async function hasten(asked: Promise<void>): Promise<void> {
  try {
    await asked;
  } catch (error) {
    if (!CattlegridError.is(error) && !(error instanceof DOMException)) throw error;
  }
}
