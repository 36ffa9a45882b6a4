import { randomBytes } from "node:crypto";
import type { SignInMethod } from "./sign-in.ts";

export interface TokenPair {
  accessToken: string;
  refreshToken: string;
  /** Seconds. */
  expiresIn: number;
}

interface Grant {
  method: SignInMethod;
  refreshToken: string;
  expiresAtMs: number;
}

/** The tokens one cloud has given out. All of them are worthless anywhere else. */
export class Tokens {
  readonly #byAccessToken = new Map<string, Grant>();
  /** Of the tokens that are given out from now on. */
  lifetimeMs: number;
  /** How many refresh tokens were exchanged, and how many were not because they had been, or were never ours. */
  readonly refreshes = { accepted: 0, refused: 0 };

  constructor(lifetimeMs: number) {
    this.lifetimeMs = lifetimeMs;
  }

  issue(method: SignInMethod): TokenPair {
    const accessToken = `simulated-access-${randomBytes(24).toString("base64url")}`;
    const refreshToken = `simulated-refresh-${randomBytes(24).toString("base64url")}`;
    const expiresAtMs = Date.now() + this.lifetimeMs;
    this.#byAccessToken.set(accessToken, { method, refreshToken, expiresAtMs });
    return { accessToken, refreshToken, expiresIn: Math.ceil(this.lifetimeMs / 1000) };
  }

  /**
   * Rotates: a refresh token is worth one exchange, and whoever comes second with a copy of it is refused. What was given
   * out with it lives its hour out. Undefined when the token is not one of ours any more.
   */
  refresh(refreshToken: string): TokenPair | undefined {
    for (const grant of this.#byAccessToken.values()) {
      if (refreshToken === "" || grant.refreshToken !== refreshToken) continue;
      grant.refreshToken = "";
      this.refreshes.accepted += 1;
      return this.issue(grant.method);
    }
    this.refreshes.refused += 1;
    return undefined;
  }

  methodOf(accessToken: string): SignInMethod | undefined {
    const grant = this.#byAccessToken.get(accessToken);
    return grant === undefined || Date.now() > grant.expiresAtMs ? undefined : grant.method;
  }

  revokeAll(): void {
    this.#byAccessToken.clear();
  }
}
