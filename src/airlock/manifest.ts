import { isDeepStrictEqual } from "node:util";
import type { Change, Hold } from "./change.ts";
import { foldName } from "./name.ts";

/** Files of which only some members are executed. */
const JSON_MEMBERS: Readonly<Record<string, readonly string[]>> = {
  "package.json": [
    "scripts",
    "gypfile",
    "packageManager",
    "husky",
    "lint-staged",
    "simple-git-hooks",
    "pre-commit",
    "workspaces",
  ],
  "composer.json": ["scripts", "repositories"],
  "deno.json": ["tasks"],
  "deno.jsonc": ["tasks"],
};

/** Whether judging a file of this name needs its text, before and after. */
export function isManifest(path: string): boolean {
  return Object.hasOwn(JSON_MEMBERS, foldName(path.slice(path.lastIndexOf("/") + 1)));
}

/** Why a manifest is held back: a member that a program of the host executes is not what it was. */
export function findManifestHolds(name: string, change: Change): readonly Hold[] {
  const members = Object.hasOwn(JSON_MEMBERS, name) ? JSON_MEMBERS[name] : undefined;
  return members === undefined ? [] : compareMembers(members, change);
}

function compareMembers(members: readonly string[], change: Change): readonly Hold[] {
  const after = readObject(change.after?.text);
  if (change.after === undefined) return [];
  if (after === undefined) return [{ class: "package", reason: "cannot be read as JSON" }];
  const before = readObject(change.before?.text) ?? {};
  const changed = members.filter((member) => !isDeepStrictEqual(before[member], after[member]));
  if (changed.length === 0) return [];
  const named = changed.map((member) => `\`${member}\``).join(", ");
  return [{ class: "package", reason: `package programs run its ${named}, which changed` }];
}

function readObject(text: string | undefined): Record<string, unknown> | undefined {
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null
      ? (value as Record<string, unknown>)
      : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
