import { randomBytes, randomInt } from "node:crypto";
import { EventEmitter } from "node:events";

export type SignInMethod = "BuilderId" | "IdentityCenter" | "Google" | "Github";

/** `slowed` answers the next poll with slow-down, which ends a Kiro login. */
export type SignInState = "pending" | "approved" | "denied" | "expired" | "slowed";

/** One device code that somebody waits for. */
export interface SignIn {
  readonly deviceCode: string;
  /** What a person compares, as ABCD-EFGH. */
  readonly userCode: string;
  readonly method: SignInMethod;
  readonly expiresAtMs: number;
  state: SignInState;
  polls: number;
}

export interface SignInEvents {
  pending: [SignIn];
  /** Somebody asked for the first time whether it is approved: the code is on the screen by then. */
  waiting: [SignIn];
  settled: [SignIn];
}

export interface SignInOptions {
  /** `auto` approves at the second poll, so that every client has seen "pending" once. */
  approval: "manual" | "auto";
  codeLifetimeMs: number;
}

const LETTERS = "BCDFGHJKLMNPQRSTVWXZ";

/** The device codes of one cloud, and what became of each. */
export class SignIns {
  readonly events = new EventEmitter<SignInEvents>();
  readonly #byDeviceCode = new Map<string, SignIn>();
  readonly #options: SignInOptions;

  constructor(options: SignInOptions) {
    this.#options = options;
  }

  open(method: SignInMethod): SignIn {
    const signIn: SignIn = {
      deviceCode: randomBytes(32).toString("base64url"),
      userCode: `${randomLetters(4)}-${randomLetters(4)}`,
      method,
      expiresAtMs: Date.now() + this.#options.codeLifetimeMs,
      state: "pending",
      polls: 0,
    };
    this.#byDeviceCode.set(signIn.deviceCode, signIn);
    this.events.emit("pending", signIn);
    return signIn;
  }

  /** Counts a poll and says where the sign-in stands; undefined for a code never given out. */
  poll(deviceCode: string): SignIn | undefined {
    const signIn = this.#byDeviceCode.get(deviceCode);
    if (signIn === undefined) return undefined;
    signIn.polls += 1;
    if (signIn.polls === 1) this.events.emit("waiting", signIn);
    if (signIn.state === "pending" && Date.now() > signIn.expiresAtMs)
      this.#move(signIn, "expired");
    const isAutomatic = this.#options.approval === "auto" && signIn.polls > 1;
    if (signIn.state === "pending" && isAutomatic) this.#move(signIn, "approved");
    return signIn;
  }

  /** Ends a pending sign-in; false when no pending one has this code. */
  settle(userCode: string, state: Exclude<SignInState, "pending">): boolean {
    const signIn = this.pending().find((candidate) => candidate.userCode === userCode);
    if (signIn === undefined) return false;
    this.#move(signIn, state);
    return true;
  }

  pending(): SignIn[] {
    return [...this.#byDeviceCode.values()].filter(({ state }) => state === "pending");
  }

  /** A device code yields tokens once. */
  forget(signIn: SignIn): void {
    this.#byDeviceCode.delete(signIn.deviceCode);
  }

  #move(signIn: SignIn, state: SignInState): void {
    signIn.state = state;
    this.events.emit("settled", signIn);
  }
}

function randomLetters(count: number): string {
  return Array.from({ length: count }, () => LETTERS[randomInt(LETTERS.length)]).join("");
}
