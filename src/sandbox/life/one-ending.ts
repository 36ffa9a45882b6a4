import { CattlegridError } from "../../errors/error.ts";
import type { SandboxEnding } from "../provider.ts";

export interface OneEndingOptions {
  sandboxId: string;
  /** Resolves with why when it ended by itself. */
  died: Promise<string>;
  /** Ends and removes what is left. Does not reject. */
  dispose(): Promise<void>;
}

/** A running sandbox ends once: by `stop` or by dying, whichever is first. */
export class OneEnding {
  /** Resolves once nothing of it is left. */
  readonly ended: Promise<SandboxEnding>;
  readonly #sandboxId: string;
  readonly #stopped = Promise.withResolvers<SandboxEnding>();
  #isEnding = false;

  constructor({ sandboxId, died, dispose }: OneEndingOptions) {
    this.#sandboxId = sandboxId;
    const dead = died.then((reason): SandboxEnding => ({ kind: "died", reason }));
    this.ended = this.#end(Promise.race([this.#stopped.promise, dead]), dispose);
  }

  async stop(): Promise<void> {
    this.#stopped.resolve({ kind: "stopped" });
    await this.ended;
  }

  /** Throws SANDBOX_NOT_RUNNING from the moment on in which it ends. */
  checkRunning(): void {
    if (!this.#isEnding) return;
    const message = `The sandbox ${this.#sandboxId} has ended.`;
    throw new CattlegridError("SANDBOX_NOT_RUNNING", message);
  }

  async #end(cause: Promise<SandboxEnding>, dispose: () => Promise<void>): Promise<SandboxEnding> {
    const ending = await cause;
    this.#isEnding = true;
    await dispose();
    return ending;
  }
}
