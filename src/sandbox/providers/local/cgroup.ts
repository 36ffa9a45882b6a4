import { createHash } from "node:crypto";
import {
  accessSync,
  constants,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { CattlegridError } from "../../../errors/error.ts";
import { hasErrno } from "../../../platform/native/libc.ts";
import type { SandboxSpecification } from "../../provider.ts";

type Limits = SandboxSpecification["limits"];

const ROOT = "/sys/fs/cgroup";
const CPU_PERIOD_US = 100_000;
const CONTROLLERS = ["cpu", "memory", "pids"];
/** SECURITY: a fixed script; paths and command come as arguments, so nothing of them is read as shell. */
const ENTER_SCRIPT =
  'while [ "$1" != -- ]; do echo 0 >"$1" || exit 125; shift; done; shift; exec "$@"';

/**
 * Where cgroups of sandboxes can be made: one directory per controller, or one for all. They are there only while a
 * sandbox has a cgroup in them, so that nothing is left of an installation.
 */
export interface CgroupPlace {
  version: 1 | 2;
  /** Keyed by controller; version 2 has one, under "". */
  directories: Readonly<Record<string, string>>;
}

export interface Cgroup {
  /** Command prefix that puts the process it starts, and so all that comes of it, into the cgroup. */
  enter: readonly string[];
  remove(): void;
}

/** Finds where this process may make cgroups that limit cpu and memory; undefined where it may not. */
export function findCgroupPlace(stateDirectory: string): CgroupPlace | undefined {
  const name = `cattlegrid-${createHash("sha256").update(stateDirectory).digest("hex").slice(0, 12)}`;
  const lines = readFileSync("/proc/self/cgroup", "utf8").trim().split("\n");
  return legacyPlace(lines, name) ?? unifiedPlace(lines, name);
}

/** Makes the cgroup of one sandbox with its limits. */
export function makeCgroup(place: CgroupPlace, sandboxId: string, limits: Limits): Cgroup {
  const made = Object.entries(place.directories).map(([controller, parent]) => ({
    controller,
    directory: join(parent, sandboxId),
  }));
  for (const { directory } of made) makeDirectory(place, directory);
  const values = place.version === 1 ? legacyValues(limits) : unifiedValues(limits);
  for (const { controller, file, value } of values) {
    const found = made.find((each) => each.controller === controller);
    if (found !== undefined) writeFileSync(join(found.directory, file), value);
  }
  const files = made.map(({ directory }) => join(directory, "cgroup.procs"));
  return {
    enter: ["/bin/sh", "-c", ENTER_SCRIPT, "sh", ...files, "--"],
    remove: () => {
      for (const { directory } of made) {
        removeDirectory(directory);
        removeDirectory(dirname(directory));
      }
    },
  };
}

/** Removes cgroups without processes that are not in `keep`. */
export function removeCgroups(place: CgroupPlace, keep: ReadonlySet<string>): void {
  for (const parent of Object.values(place.directories)) {
    for (const name of directoriesIn(parent)) {
      if (!keep.has(name)) removeDirectory(join(parent, name));
    }
    removeDirectory(parent);
  }
}

export function requireLimits(limits: Limits, place: CgroupPlace | undefined): void {
  if (place !== undefined) return;
  if (limits.cpus === undefined && limits.memoryBytes === undefined) return;
  throw new CattlegridError(
    "LIMITS_UNAVAILABLE",
    "Limits on cpu and memory need a cgroup that this account may write to, and there is none.",
  );
}

interface Value {
  controller: string;
  file: string;
  value: string;
}

function legacyValues({ cpus, memoryBytes, pids }: Limits): readonly Value[] {
  const values: Value[] = [];
  const set = (controller: string, file: string, value: number): void => {
    values.push({ controller, file, value: String(Math.round(value)) });
  };
  if (cpus !== undefined) {
    set("cpu", "cpu.cfs_period_us", CPU_PERIOD_US);
    set("cpu", "cpu.cfs_quota_us", cpus * CPU_PERIOD_US);
  }
  if (memoryBytes !== undefined) set("memory", "memory.limit_in_bytes", memoryBytes);
  if (pids !== undefined) set("pids", "pids.max", pids);
  return values;
}

function unifiedValues({ cpus, memoryBytes, pids }: Limits): readonly Value[] {
  const values: Value[] = [];
  const set = (file: string, value: string): void =>
    void values.push({ controller: "", file, value });
  if (cpus !== undefined) set("cpu.max", `${Math.round(cpus * CPU_PERIOD_US)} ${CPU_PERIOD_US}`);
  if (memoryBytes !== undefined) {
    set("memory.max", String(Math.round(memoryBytes)));
    set("memory.swap.max", "0");
  }
  if (pids !== undefined) set("pids.max", String(pids));
  return values;
}

function legacyPlace(lines: readonly string[], name: string): CgroupPlace | undefined {
  const found = CONTROLLERS.flatMap((controller) => {
    const line = lines.find((each) => each.split(":")[1]?.split(",").includes(controller));
    const path = line?.split(":").slice(2).join(":");
    return path === undefined ? [] : [[controller, join(ROOT, controller, path)] as const];
  });
  const parents = new Map(found);
  const required = ["cpu", "memory"].map((controller) => parents.get(controller));
  if (!required.every((parent) => parent !== undefined && isWritable(parent))) return undefined;
  const directories = Object.fromEntries(found.map(([key, parent]) => [key, join(parent, name)]));
  return { version: 1, directories };
}

/** The nearest cgroup above ours that we may write to and that hands its controllers on. */
function unifiedPlace(lines: readonly string[], name: string): CgroupPlace | undefined {
  const own = lines.find((line) => line.startsWith("0::"))?.slice("0::".length);
  if (own === undefined) return undefined;
  for (let path = own; ; path = dirname(path)) {
    const parent = join(ROOT, path);
    if (isWritable(parent) && isWritable(join(parent, "cgroup.procs")) && handsOn(parent)) {
      const directory = join(parent, name);
      return { version: 2, directories: { "": directory } };
    }
    if (path === "/" || path === ".") return undefined;
  }
}

function makeDirectory({ version }: CgroupPlace, directory: string): void {
  const parent = dirname(directory);
  mkdirSync(parent, { recursive: true });
  if (version === 2) writeFileSync(join(parent, "cgroup.subtree_control"), "+cpu +memory +pids");
  mkdirSync(directory, { recursive: true });
}

function handsOn(directory: string): boolean {
  try {
    writeFileSync(join(directory, "cgroup.subtree_control"), "+cpu +memory +pids");
    return true;
  } catch (error) {
    // Processes live in it, or a controller is not available there.
    if (hasErrno(error, "EBUSY", "ENOENT", "EINVAL", "EACCES", "EPERM", "ENOTSUP", "EROFS"))
      return false;
    throw error;
  }
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch (error) {
    if (hasErrno(error, "ENOENT", "EACCES", "EROFS", "ENOTDIR")) return false;
    throw error;
  }
}

function directoriesIn(path: string): readonly string[] {
  try {
    const entries = readdirSync(path, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return [];
    throw error;
  }
}

function removeDirectory(path: string): void {
  try {
    rmdirSync(path);
  } catch (error) {
    // EBUSY: there is another in it, or the kernel still counts a process that has just ended; the reaper comes again.
    if (!hasErrno(error, "ENOENT", "EBUSY")) throw error;
  }
}
