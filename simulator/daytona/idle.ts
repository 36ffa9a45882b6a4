import type { FakeSandbox } from "./sandbox.ts";

const MINUTE_MS = 60_000;

/** What the service does to a sandbox by itself at this time. */
export function dueTransition(
  sandbox: FakeSandbox,
  now: number,
): "stop" | "archive" | "destroy" | undefined {
  const { state, destroyAt } = sandbox;
  const isLiving = state === "started" || state === "stopped" || state === "archived";
  if (!isLiving) return undefined;
  if (destroyAt !== undefined && destroyAt <= now) return "destroy";
  return state === "started" ? whenIdle(sandbox, now) : whenResting(sandbox, now);
}

function whenIdle(sandbox: FakeSandbox, now: number): "stop" | "destroy" | undefined {
  const { autoStopInterval } = sandbox.intervals;
  if (autoStopInterval === 0) return undefined;
  if (!hasPassed(sandbox.lastActivityAt, autoStopInterval, now)) return undefined;
  return sandbox.isEphemeral ? "destroy" : "stop";
}

function whenResting(sandbox: FakeSandbox, now: number): "archive" | "destroy" | undefined {
  const { state, updatedAt } = sandbox;
  const { autoArchiveInterval, autoDeleteInterval } = sandbox.intervals;
  if (autoDeleteInterval > 0 && hasPassed(updatedAt, autoDeleteInterval, now)) return "destroy";
  if (state !== "stopped" || autoArchiveInterval === 0) return undefined;
  return hasPassed(updatedAt, autoArchiveInterval, now) ? "archive" : undefined;
}

function hasPassed(since: number, minutes: number, now: number): boolean {
  return now - since >= minutes * MINUTE_MS;
}
