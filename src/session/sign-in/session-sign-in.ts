import type { Logger } from "../../platform/logger.ts";
import type { SessionContext } from "../context.ts";
import { lendSignIn, signIn, signInUnasked, type SignInOptions } from "./sign-in.ts";

const TAKE_BACK_TIMEOUT_MS = 10_000;

/** The sign-in of one session's agent, from before its first program to after its last. A key given for it is its sign-in. */
export class SessionSignIn {
  readonly #context: SessionContext;
  readonly #logger: Logger;

  constructor(context: SessionContext, logger: Logger) {
    this.#context = context;
    this.#logger = logger;
  }

  get hasKey(): boolean {
    const { agent, secrets } = this.#context;
    return agent.credentials.some((name) => (secrets[name] ?? "") !== "");
  }

  /** By whichever way the agent has. */
  async ensure(options: SignInOptions): Promise<void> {
    const { agent, request } = this.#context;
    if (agent.signIn !== undefined) return signIn(this.#context, agent.signIn, options);
    if (agent.keptSignIn === undefined) return;
    if (request.login === undefined) return lendSignIn(this.#context);
    await options.onLoginNeeded();
    return signInUnasked(this.#context, agent.keptSignIn.login ?? agent.command);
  }

  /** It may have ended since it was last looked at, or been taken back. */
  async refresh(how: { isDoubted?: boolean } = {}): Promise<void> {
    if (!this.hasKey) await this.#context.signIns?.refresh(this.#context, how);
  }

  /** What an agent made of its sign-in while it was at work; that it cannot be read is no failure of the work. */
  async takeBack(): Promise<void> {
    const { sessionId: id, signIns, agent, running } = this.#context;
    if (signIns === undefined || this.hasKey) return;
    const signal = AbortSignal.timeout(TAKE_BACK_TIMEOUT_MS);
    try {
      await signIns.takeBack({ running, agent, signal });
    } catch (error) {
      this.#logger.warn("a sign-in was not taken back", { id, error });
    }
  }
}
