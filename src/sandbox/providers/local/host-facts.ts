import { lstatSync, readFileSync, readlinkSync, realpathSync, statSync } from "node:fs";
import { join } from "node:path";
import { CattlegridError } from "../../../errors/error.ts";
import type { SandboxSpecification } from "../../provider.ts";
import type { ResourceBounds } from "./bundle/bundle.ts";
import type { SystemName } from "./bundle/root-layout.ts";

const SYSTEM_NAMES = ["bin", "sbin", "lib", "lib32", "lib64", "libx32"];
const PIDS_DEFAULT = 4096;
const OPEN_FILES_MAX = 1_048_576;
/** Above what a desktop session gives its programs, so that an agent goes before they do. */
const OOM_SCORE = 500;
const TEMPORARY_BYTES_MAX = 2 * 2 ** 30;

export function systemNames(): readonly SystemName[] {
  return SYSTEM_NAMES.flatMap((name) => {
    const found = lstatSync(`/${name}`, { throwIfNoEntry: false });
    if (found?.isSymbolicLink()) return [{ name, link: readlinkSync(`/${name}`) }];
    return found?.isDirectory() ? [{ name }] : [];
  });
}

export function resourceBounds(
  limits: SandboxSpecification["limits"],
  memoryBytes: number,
): ResourceBounds {
  const own = readFileSync("/proc/self/limits", "utf8");
  const quarter = (limits.memoryBytes ?? memoryBytes) / 4;
  return {
    pids: Math.min(limits.pids ?? PIDS_DEFAULT, hardLimit(own, "Max processes")),
    openFiles: Math.min(OPEN_FILES_MAX, hardLimit(own, "Max open files")),
    oomScoreAdj: Math.max(OOM_SCORE, Number(readFileSync("/proc/self/oom_score_adj", "utf8"))),
    temporaryBytes: Math.floor(Math.min(quarter, TEMPORARY_BYTES_MAX)),
  };
}

function hardLimit(text: string, name: string): number {
  const line = text.split("\n").find((each) => each.startsWith(name)) ?? "";
  const hard = line.slice(name.length).trim().split(/\s+/)[1];
  const value = Number(hard);
  return Number.isSafeInteger(value) ? value : Number.MAX_SAFE_INTEGER;
}

/** The real directory of each toolchain; a link among them is followed here and shows as a directory inside. */
export function toolchainSources(toolchains: readonly string[]): readonly string[] {
  return toolchains.map((path) => {
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return realpathSync(path);
    throw new CattlegridError("REQUEST_INVALID", `The toolchain ${path} is not a directory.`, {
      hint: "Name an existing directory in `toolchains`, or remove it from the list.",
    });
  });
}

/** What a toolchain puts on PATH: its `bin`, or itself when it holds programs directly. */
export function toolchainPath(toolchains: readonly string[]): readonly string[] {
  return toolchains.map((path) => {
    const bin = join(path, "bin");
    return statSync(bin, { throwIfNoEntry: false })?.isDirectory() ? bin : path;
  });
}
