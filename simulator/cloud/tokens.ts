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
  readonly #lifetimeMs: number;

  constructor(lifetimeMs: number) {
    this.#lifetimeMs = lifetimeMs;
  }

  issue(method: SignInMethod): TokenPair {
    const accessToken = `simulated-access-${randomBytes(24).toString("base64url")}`;
    const refreshToken = `simulated-refresh-${randomBytes(24).toString("base64url")}`;
    const expiresAtMs = Date.now() + this.#lifetimeMs;
    this.#byAccessToken.set(accessToken, { method, refreshToken, expiresAtMs });
    return { accessToken, refreshToken, expiresIn: Math.ceil(this.#lifetimeMs / 1000) };
  }

  /** Rotates: the old pair ends with the exchange. Undefined when the token is not one of ours. */
  refresh(refreshToken: string): TokenPair | undefined {
    for (const [accessToken, grant] of this.#byAccessToken) {
      if (grant.refreshToken !== refreshToken) continue;
      this.#byAccessToken.delete(accessToken);
      return this.issue(grant.method);
    }
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
