import type { JudgedChange } from "./judged-change.ts";
import type { Step } from "./step.ts";

/** A change with the item that was prepared for it, when it has one. */
export interface PreparedChange {
  change: JudgedChange;
  item?: { name: string; identity: string; stamp: string };
}

const OWNER_ALL = 0o700;

/** The steps in an order in which each finds what it needs: what goes, directories that come, files, permissions. */
export function planSteps(prepared: readonly PreparedChange[]): readonly Step[] {
  const steps = prepared.flatMap(stepsOf);
  const those = (kind: Step["do"]): Step[] => steps.filter((step) => step.do === kind);
  const byDepth = (one: Step, other: Step): number => depthOf(one.path) - depthOf(other.path);
  const deepestFirst = (kind: Step["do"]): Step[] => those(kind).toSorted(byDepth).toReversed();
  return [
    ...those("remove"),
    ...deepestFirst("rmdir"),
    ...those("mkdir").toSorted(byDepth),
    ...those("put"),
    ...deepestFirst("chmod"),
  ];
}

function stepsOf({ change, item }: PreparedChange, index: number): readonly Step[] {
  const { path, before, after } = change;
  if (after?.kind === "directory") return [...removal(change, index), ...directorySteps(change)];
  if (item === undefined) return removal(change, index);
  const isExchange = before !== undefined && before.kind !== "directory";
  const stamp = isExchange ? before.stamp : null;
  const { name, identity, stamp: made } = item;
  const put: Step = { do: "put", path, item: name, identity, stamp, made };
  return isExchange ? [put] : [...removal(change, index), put];
}

/** What goes from the path; a directory that stays one does not. */
function removal({ path, before, after }: JudgedChange, index: number): readonly Step[] {
  if (before === undefined) return [];
  if (before.kind !== "directory") {
    return [{ do: "remove", path, stamp: before.stamp, item: `old-${index}` }];
  }
  return after?.kind === "directory" ? [] : [{ do: "rmdir", path, mode: before.mode & 0o777 }];
}

/** A new directory stays open to us until everything is in it. */
function directorySteps({ path, before, after }: JudgedChange): readonly Step[] {
  const mode = (after?.mode ?? 0) & 0o777;
  const isThere = before?.kind === "directory";
  const present = isThere ? before.mode & 0o777 : mode | OWNER_ALL;
  return [
    ...(isThere ? [] : [{ do: "mkdir", path, mode: present } as const]),
    ...(present === mode ? [] : [{ do: "chmod", path, mode, before: present } as const]),
  ];
}

function depthOf(path: string): number {
  return path.split("/").length;
}
