import type { SessionStatus } from "../protocol/session.ts";

/** What can happen to a session. */
export type SessionHappening = "sign-in-needed" | "ready" | "ended" | "lost";

const NEXT: Readonly<
  Record<SessionStatus, Readonly<Partial<Record<SessionHappening, SessionStatus>>>>
> = {
  starting: { "sign-in-needed": "signing-in", ready: "running", ended: "ended", lost: "lost" },
  "signing-in": { ready: "running", ended: "ended", lost: "lost" },
  running: { ended: "ended", lost: "lost" },
  ended: {},
  lost: {},
};

/** The status that follows, or undefined when this cannot happen to a session in that status. */
export function nextSessionStatus(
  status: SessionStatus,
  happening: SessionHappening,
): SessionStatus | undefined {
  return NEXT[status][happening];
}

export function isOver(status: SessionStatus): boolean {
  return status === "ended" || status === "lost";
}
