import type { HttpRequest } from "./policy/http-scope.ts";
import type { Refusal } from "./refusal.ts";

/** `ended`: by both sides, in good order; `silent`: one had ended it, and the other let its deadline pass. */
export type RelayEnding = "ended" | "reset" | "silent";

/** What goes on between a client and the server it was let through to, until both ends are closed. */
export interface Passage {
  /** Never rejects. */
  readonly ended: Promise<RelayEnding>;
  /** The policy has changed: asks again about every request that is open. */
  reconsider(): void;
}

/** Says which requests may go on. */
export interface RequestGate {
  /** Decides and records; undefined lets the request pass. */
  judge(request: HttpRequest): Refusal | undefined;
  /** Decides again about a request that has passed, and records only that it must end. */
  judgeAgain(request: HttpRequest): Refusal | undefined;
  /** Records a request that no policy can allow. */
  refuse(refusal: Refusal): void;
  /** The text that tells a person or an agent why, and what to do. */
  explain(refusal: Refusal): string;
}
