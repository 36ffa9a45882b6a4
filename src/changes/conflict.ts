import type { WorkspaceChange } from "./change.ts";

/** What a change is judged by besides itself. */
export interface History {
  /** Since when the sandbox sees the workspace. */
  begunAtNs: bigint;
  /** What the last application gave the host at this path, if there was one. */
  applied?: string;
  /** Digests of what is there now. */
  host: string;
  sandbox: string;
}

export type Standing =
  /** Both sides have the same, or the sandbox has changed nothing here since the last application. */
  { kind: "none" } | { kind: "clean" } | { kind: "conflict"; reason: string };

/**
 * Compares both sides with what they began from. Of a path that was applied before, that is what was applied. Of any other it is
 * the workspace at the time the sandbox began, of which we know when each file was last changed: the kernel keeps that time and
 * nobody can set it back. Directories are only made, removed when empty, and given their mode: they are never in conflict.
 */
export function judgeStanding(change: WorkspaceChange, history: History): Standing {
  const { before, after } = change;
  const { applied, host, sandbox } = history;
  if (host === sandbox) return { kind: "none" };
  if (applied !== undefined) {
    if (applied === sandbox) return { kind: "none" };
    return applied === host
      ? { kind: "clean" }
      : conflict("the host changed it after it was applied");
  }
  if (before === undefined) {
    return after !== undefined && change.isCopy
      ? conflict("the host deleted it meanwhile")
      : { kind: "clean" };
  }
  if (change.isUnseen === true) return conflict("the sandbox was never shown the one you have");
  if (before.kind === "directory" || before.changedAtNs <= history.begunAtNs) {
    return { kind: "clean" };
  }
  if (after === undefined) return conflict("deleted in the sandbox, changed on the host meanwhile");
  return conflict("changed in the sandbox and on the host meanwhile");
}

function conflict(reason: string): Standing {
  return { kind: "conflict", reason };
}
