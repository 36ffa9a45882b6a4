import { basename, dirname, join } from "node:path";
import { isWithin } from "../platform/paths.ts";
import type { DirectoryReader } from "./directory-reader.ts";
import { isHarmlessGitConfiguration } from "./git-configuration.ts";
import { findCreated, findProtectedPaths, type ProtectedPath } from "./protected-paths.ts";

export interface KnownPaths {
  workspace: string;
  /** Protected when the sandbox started: absolute. */
  protectedPaths: readonly string[];
  /** Lifted by the user: relative to the workspace. */
  unprotected: readonly string[];
}

/**
 * What was made since a sandbox started that the host would run, but for what a new repository has that runs nothing:
 * sample hooks, and a configuration of plain known values.
 */
export async function findCreatedPaths(
  { workspace, protectedPaths, unprotected }: KnownPaths,
  reader: DirectoryReader,
): Promise<readonly ProtectedPath[]> {
  const now = await findProtectedPaths(workspace, reader);
  const lifted = unprotected.map((path) => join(workspace, path));
  const created = findCreated([...protectedPaths, ...lifted], now);
  const judged = await Promise.all(created.map((each) => isHarmless(each.path, reader)));
  return created.filter((_, index) => judged[index] === false);
}

async function isHarmless(path: string, reader: DirectoryReader): Promise<boolean> {
  if (!(await isInGitDirectory(path, reader))) return false;
  const entry = (await reader.list(dirname(path))).find(({ name }) => name === basename(path));
  if (basename(path) === "hooks" && entry?.kind === "directory") {
    const hooks = await reader.list(path);
    return hooks.every(({ name, kind }) => kind === "file" && name.endsWith(".sample"));
  }
  if (basename(path) !== "config" || entry?.kind !== "file") return false;
  return isHarmlessGitConfiguration(await reader.readText(path));
}

async function isInGitDirectory(path: string, reader: DirectoryReader): Promise<boolean> {
  const names = (await reader.list(dirname(path))).map(({ name }) => name);
  return ["HEAD", "objects", "refs"].every((name) => names.includes(name));
}

/** Those of the paths that are not lifted: at a lifted one, below it, or holding one. */
export function withoutLifted(
  paths: readonly ProtectedPath[],
  workspace: string,
  unprotected: readonly string[],
): readonly ProtectedPath[] {
  const lifted = unprotected.map((path) => join(workspace, path));
  return paths.filter(({ path }) => !lifted.some((each) => isWithin(path, each)));
}
