import { readFileSync } from "node:fs";
import { userInfo } from "node:os";
import { CattlegridError } from "../../../errors/error.ts";
import { hasErrno } from "../../../platform/native/libc.ts";
import { findSystemProgram } from "../../../platform/system-program.ts";
import type { Machine } from "./machine.ts";

/** As many as the agent's numbers inside need. */
const RANGE_MIN = 65_536;
/** Where useradd(8) begins to give them. */
const RANGE_FIRST = 100_000;
const FILES = ["/etc/subuid", "/etc/subgid"];

/** An ordinary user's own id is the agent's; the runtime itself then needs others to run under. */
export function requireRange(machine: Machine, what: string): void {
  if (machine.isRoot || findOwnRange() !== undefined) return;
  const { username } = userInfo();
  const message = `${what} needs subordinate ids of the account ${username}, and there are none.`;
  throw new CattlegridError("ISOLATION_UNAVAILABLE", message, { hint: rangeRemedy() });
}

/** How to give this account subordinate ids that nobody else has. */
export function rangeRemedy(): string {
  const first = freeRange(FILES.map(readIfPresent).join("\n"));
  const range = `${first}-${first + RANGE_MIN - 1}`;
  const { username } = userInfo();
  return `Give it some: \`sudo apt-get install uidmap && sudo usermod --add-subuids ${range} --add-subgids ${range} ${username}\`.`;
}

/** The first of this ordinary user's subordinate ids; undefined for one who has too few, or no way to use them. */
export function findOwnRange(): number | undefined {
  const { username, uid } = userInfo();
  const [user, group] = FILES.map((file) => rangeOf(readIfPresent(file), [username, String(uid)]));
  return group === undefined || findSystemProgram("newuidmap") === undefined ? undefined : user;
}

export function rangeOf(text: string, owners: readonly string[]): number | undefined {
  return readRanges(text).find(({ owner, count }) => owners.includes(owner) && count >= RANGE_MIN)
    ?.first;
}

/** Where the ids begin that no line gives to anybody. */
export function freeRange(text: string): number {
  return Math.max(RANGE_FIRST, ...readRanges(text).map(({ first, count }) => first + count));
}

function readRanges(text: string): readonly { owner: string; first: number; count: number }[] {
  return text.split("\n").flatMap((line) => {
    const [owner = "", first, count] = line.trim().split(":");
    const range = { owner, first: Number(first), count: Number(count) };
    return range.first > 0 && range.count > 0 ? [range] : [];
  });
}

function readIfPresent(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (hasErrno(error, "ENOENT", "EACCES")) return "";
    throw error;
  }
}
