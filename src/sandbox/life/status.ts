import type { SandboxStatus } from "../../protocol/sandbox.ts";

/** What can happen to a sandbox. */
export type SandboxHappening =
  | "start"
  | "started"
  | "start-failed"
  | "stop"
  | "stop-failed"
  | "ended"
  | "remove"
  | "daemon-restarted";

const NEXT: Readonly<
  Record<SandboxStatus, Readonly<Partial<Record<SandboxHappening, SandboxStatus>>>>
> = {
  created: { start: "starting", remove: "removing" },
  starting: {
    started: "running",
    "start-failed": "stopped",
    remove: "removing",
    "daemon-restarted": "stopped",
  },
  running: {
    stop: "stopping",
    ended: "stopped",
    remove: "removing",
    "daemon-restarted": "stopped",
  },
  stopping: {
    "stop-failed": "running",
    ended: "stopped",
    remove: "removing",
    "daemon-restarted": "stopped",
  },
  stopped: { start: "starting", remove: "removing" },
  removing: { remove: "removing" },
};

/** The status that follows, or undefined when this cannot happen to a sandbox in that status. */
export function nextStatus(
  status: SandboxStatus,
  happening: SandboxHappening,
): SandboxStatus | undefined {
  return NEXT[status][happening];
}
