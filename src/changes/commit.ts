import { chmodSync, lchownSync, mkdirSync, rmdirSync } from "node:fs";
import { CattlegridError } from "../errors/error.ts";
import { exchangeEntries, moveEntry, openBelow, type Place } from "../platform/native/beneath.ts";
import { hasErrno } from "../platform/native/libc.ts";
import type { Pace } from "../platform/pace.ts";
import type { Step } from "./step.ts";
import type { Owner, Staging } from "./staging.ts";
import { lookAt, type Tree } from "./tree.ts";

export interface CommitContext {
  host: Tree;
  staging: Staging;
  /** Who new directories belong to; undefined: whoever makes them. */
  owner: Owner | undefined;
  pace: Pace;
  /** Called before each step, for tests that end the process there. */
  onStep?(index: number): void;
}

/**
 * Takes every step, or none: when one meets what it was not planned for, those before it are taken back. With `resumes` it goes
 * on where an interrupted commit of the same steps ended. Throws CHANGES_CONFLICT.
 */
export async function commitSteps(
  steps: readonly Step[],
  context: CommitContext,
  { resumes = false }: { resumes?: boolean } = {},
): Promise<void> {
  let taken = resumes ? countTaken(steps, context) : 0;
  try {
    for (const [index, step] of [...steps.entries()].slice(taken)) {
      context.onStep?.(index);
      await context.pace.next();
      take(step, context);
      taken += 1;
    }
  } catch (error) {
    undo(steps.slice(0, taken), context, error);
    throw error;
  }
}

/**
 * Steps are taken in their order, so all up to the last one that has left its proof are taken. Those after it either were not, or
 * change nothing when they are taken again.
 */
function countTaken(steps: readonly Step[], context: CommitContext): number {
  return steps.findLastIndex((step) => hasProof(step, context)) + 1;
}

function hasProof(step: Step, context: CommitContext): boolean {
  if (step.do === "remove") return context.staging.look(step.item) !== undefined;
  if (step.do !== "put") return false;
  const place = findPlace(step, context);
  return place !== undefined && lookAt(place)?.identity === step.identity;
}

/** What is thrown when a commit stopped half way: what the host had is still in the staging directory. */
const HALF_WAY = "isHalfWay";

/** Whether the staging directory must be kept, as it holds files of the host's. */
export function isHalfWay(error: unknown): boolean {
  return CattlegridError.is(error) && error.details[HALF_WAY] === true;
}

function undo(steps: readonly Step[], context: CommitContext, cause: unknown): void {
  try {
    for (const step of steps.toReversed()) takeBack(step, context);
  } catch (error) {
    const { path } = context.staging;
    throw new CattlegridError(
      "INTERNAL",
      `Applying stopped half way (${String(cause)}), and could not be taken back (${String(error)}). What the host had is in ${path}.`,
      {
        hint: "Once the cause is removed, `cattlegrid apply` takes it to its end.",
        details: { [HALF_WAY]: true },
        cause,
      },
    );
  }
}

function take(step: Step, context: CommitContext): void {
  const place = findPlace(step, context);
  if (place === undefined) {
    // What was to go has gone with the directory it lay in.
    if (step.do === "remove" || step.do === "rmdir") return;
    return refuse(step.path, "the directory it lies in is gone");
  }
  switch (step.do) {
    case "remove":
      return remove(step, place, context);
    case "put":
      return put(step, place, context);
    case "rmdir":
      return removeDirectory(step, place);
    case "mkdir":
      return makeDirectory(step, place, context);
    case "chmod":
      return setMode(place, step.mode);
  }
}

function takeBack(step: Step, context: CommitContext): void {
  const place = findPlace(step, context);
  if (place === undefined) return refuse(step.path, "the directory it lies in is gone");
  const { staging } = context;
  if (step.do === "remove") {
    if (staging.look(step.item) !== undefined) moveEntry(staging.item(step.item), place);
  }
  if (step.do === "put" && isAsPut(step, place)) {
    if (step.stamp === null) moveEntry(place, staging.item(step.item));
    else exchangeEntries(staging.item(step.item), place);
  }
  if (step.do === "rmdir") makeDirectory({ ...step, do: "mkdir" }, place, context);
  if (step.do === "mkdir") removeDirectory(step, place);
  if (step.do === "chmod") setMode(place, step.before);
}

/** False for one that the host has changed since: it stays, as what was there before is older. */
function isAsPut({ identity, made }: StepThat<"put">, place: Place): boolean {
  const found = lookAt(place);
  return found?.identity === identity && (made === undefined || found.stamp === made);
}

function findPlace({ path }: Step, { host }: CommitContext): Place | undefined {
  // A step may have moved what was known of the way.
  host.refresh();
  return host.place(path);
}

type StepThat<D extends Step["do"]> = Extract<Step, { do: D }>;

/** SECURITY: what is moved is judged after the move, when nobody can exchange it any more; if it is another, it goes back. */
function remove(step: StepThat<"remove">, place: Place, { staging }: CommitContext): void {
  const aside = staging.item(step.item);
  const found = lookAt(place);
  if (found === undefined) return;
  if (found.stamp !== step.stamp) refuse(step.path, "the host changed it just now");
  moveEntry(place, aside);
  if (lookAt(aside)?.stamp === step.stamp) return;
  moveEntry(aside, place);
  refuse(step.path, "the host changed it just now");
}

function put(step: StepThat<"put">, place: Place, { staging }: CommitContext): void {
  const found = lookAt(place);
  const item = staging.item(step.item);
  if (lookAt(item)?.identity !== step.identity)
    refuse(step.path, "what was prepared for it is gone");
  if (step.stamp === null) return putNew(step, place, item);
  if (found?.stamp !== step.stamp) refuse(step.path, "the host changed it just now");
  exchange(step, place, item);
  if (lookAt(item)?.stamp === step.stamp) return;
  exchangeEntries(item, place);
  refuse(step.path, "the host changed it just now");
}

function putNew(step: StepThat<"put">, place: Place, item: Place): void {
  try {
    moveEntry(item, place);
  } catch (error) {
    if (hasErrno(error, "EEXIST")) refuse(step.path, "the host made it just now");
    throw explain(error, step.path);
  }
}

function exchange(step: StepThat<"put">, place: Place, item: Place): void {
  try {
    exchangeEntries(item, place);
  } catch (error) {
    throw explain(error, step.path);
  }
}

function removeDirectory({ path }: Pick<Step, "path">, place: Place): void {
  try {
    rmdirSync(place.directory.entry(place.name));
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return;
    if (hasErrno(error, "ENOTEMPTY", "ENOTDIR")) refuse(path, "the host put something there");
    throw explain(error, path);
  }
}

function makeDirectory(
  { path, mode }: StepThat<"mkdir">,
  place: Place,
  { owner }: CommitContext,
): void {
  const entry = place.directory.entry(place.name);
  try {
    mkdirSync(entry, { mode: 0o700 });
    if (owner !== undefined) lchownSync(entry, owner.uid, owner.gid);
  } catch (error) {
    if (!hasErrno(error, "EEXIST")) throw explain(error, path);
    if (lookAt(place)?.kind !== "directory") refuse(path, "the host made it just now");
  }
  setMode(place, mode);
}

/** SECURITY: through the directory itself, which nobody can exchange for a link in between. */
function setMode({ directory, name }: Place, mode: number): void {
  const found = lookAt({ directory, name });
  if (found?.kind !== "directory" || (found.mode & 0o777) === mode) return;
  const opened = openBelow(directory, name);
  if (opened === undefined) return;
  try {
    chmodSync(opened.entry("."), mode);
  } catch (error) {
    throw explain(error, name);
  } finally {
    opened.close();
  }
}

function refuse(path: string, reason: string): never {
  throw new CattlegridError("CHANGES_CONFLICT", `Nothing was applied: ${path}: ${reason}.`, {
    details: { conflicts: [{ path, reason }] },
  });
}

function explain(error: unknown, path: string): unknown {
  if (hasErrno(error, "EXDEV")) return unsuitable(path, "lies on another file system", error);
  if (hasErrno(error, "EINVAL", "ENOSYS", "EOPNOTSUPP")) {
    return unsuitable(path, "lies on a file system that cannot exchange two files at once", error);
  }
  if (!hasErrno(error, "EACCES", "EPERM", "EROFS")) return error;
  return new CattlegridError(
    "WORKSPACE_FORBIDDEN",
    `Nothing was applied: ${path} may not be written.`,
    {
      hint: "Make its directory writable for the user who runs the daemon.",
      cause: error,
    },
  );
}

function unsuitable(path: string, why: string, cause: unknown): CattlegridError {
  return new CattlegridError("FILE_SYSTEM_UNSUITABLE", `Nothing was applied: ${path} ${why}.`, {
    hint: "Apply the other changes by path, and copy this one by hand.",
    cause,
  });
}
