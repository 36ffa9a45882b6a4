import { readFileSync } from "node:fs";
import { totalmem } from "node:os";
import { CattlegridError } from "../../../errors/error.ts";
import { hasErrno } from "../../../platform/native/libc.ts";
import { findSystemProgram } from "../../../platform/system-program.ts";
import { explainRefusal, type NamespaceSwitches } from "./refusal.ts";

const ALL_IDS = 4_294_967_295;
const SUBORDINATE_IDS = 65_536;
/**
 * SECURITY: nobody else's processes may run under the agents' host uids. Above the ranges that useradd hands out and
 * those that systemd draws for containers (to 1 879 048 191), below 2^31.
 */
const SUBORDINATE_DEFAULT = 1_900_000_000;
const SUBORDINATE_OWNERS = new Set(["root", "0", "cattlegrid"]);

export interface Tools {
  unshare: string;
  nsenter: string;
}

/** What the provider needs to know of the host. */
export interface Machine {
  isRoot: boolean;
  memoryBytes: number;
  tools: Tools;
  /** As root: the host ids that stand for 0 to 65535 inside, so that nothing inside is host root. */
  subordinate: { first: number; count: number };
  /** Why a keeper could not be made here, with the remedy. */
  explainRefusal(error: unknown, keeperErrors: string): CattlegridError;
}

/** Reads what is needed; fails with DEPENDENCY_MISSING when a program is absent. */
export function inspectMachine(): Machine {
  return {
    isRoot: isHostRoot(process.getuid?.() ?? -1, readIfPresent("/proc/self/uid_map")),
    memoryBytes: totalmem(),
    tools: {
      unshare: requireTool("unshare"),
      nsenter: requireTool("nsenter"),
    },
    subordinate: {
      first: subordinateRange(readIfPresent("/etc/subuid")),
      count: SUBORDINATE_IDS,
    },
    explainRefusal: (error, keeperErrors) =>
      explainRefusal(error, keeperErrors, readNamespaceSwitches()),
  };
}

/** Root of a container that maps few ids is an ordinary user in disguise: it cannot use subordinate ids. */
export function isHostRoot(uid: number, uidMap: string): boolean {
  const [inside, outside, count] = uidMap.trim().split(/\s+/).map(Number);
  return uid === 0 && inside === 0 && outside === 0 && count === ALL_IDS;
}

/** The first range of 65536 ids that /etc/subuid gives to root or to us; else one that others rarely use. */
export function subordinateRange(subuid: string): number {
  for (const line of subuid.split("\n")) {
    const [owner, first, count] = line.trim().split(":");
    if (owner === undefined || !SUBORDINATE_OWNERS.has(owner)) continue;
    if (Number(count) >= SUBORDINATE_IDS && Number(first) > 0) return Number(first);
  }
  return SUBORDINATE_DEFAULT;
}

export function readNamespaceSwitches(): NamespaceSwitches {
  return {
    apparmorRestricts:
      readIfPresent("/proc/sys/kernel/apparmor_restrict_unprivileged_userns").trim() === "1",
    cloneForbidden: readIfPresent("/proc/sys/kernel/unprivileged_userns_clone").trim() === "0",
    noneAllowed: readIfPresent("/proc/sys/user/max_user_namespaces").trim() === "0",
  };
}

function requireTool(name: string): string {
  const found = findSystemProgram(name);
  if (found !== undefined) return found;
  throw new CattlegridError("DEPENDENCY_MISSING", `The program ${name} is not installed.`, {
    hint: "Install it: `sudo apt-get install util-linux coreutils`.",
  });
}

function readIfPresent(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (hasErrno(error, "ENOENT", "EACCES", "EPERM")) return "";
    throw error;
  }
}
