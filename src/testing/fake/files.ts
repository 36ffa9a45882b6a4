import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, posix } from "node:path";
import { isWithin } from "../../platform/paths.ts";
import type { SandboxCapabilities, SandboxSpecification } from "../../sandbox/provider.ts";

export const HOME = "/home/agent";
const TEMPORARY = "/tmp";

/** By absolute path; null for one that was removed from what lies below. */
export type FileTable = Map<string, Buffer | null>;

/** What a program of the fake sees: home and /tmp in memory, and the workspace, which is the real directory or, copied, in memory too. */
export interface FakeFiles {
  /** Undefined when there is no such file. */
  read(path: string): Buffer | undefined;
  /** False where nothing may be written. Directories come by themselves. */
  write(path: string, content: string | Uint8Array): boolean;
  /** False when there is no such file, or it may not be removed. */
  remove(path: string): boolean;
  /** Names, sorted; undefined when there is no such directory. */
  list(directory: string): readonly string[] | undefined;
}

export interface FilePlaces {
  /** What the sandbox changed in its home. */
  home: FileTable;
  /** Of the layers below it, lowest first. */
  layers: readonly FileTable[];
  specification: SandboxSpecification;
  /** A copied workspace lives as long as the home. */
  declared: Pick<SandboxCapabilities, "workspaceFiles">;
}

/** `directory` is where relative paths begin. */
export function openFiles(places: FilePlaces, temporary: FileTable, directory: string): FakeFiles {
  const { home, layers, specification, declared } = places;
  const workspace = specification.workspace;
  const locate = (path: string): string => posix.resolve(directory, path);
  const isInWorkspace = (path: string): boolean =>
    workspace !== undefined && isWithin(path, workspace.path);
  const isReal = (path: string): boolean =>
    declared.workspaceFiles === "shared" && isInWorkspace(path);
  const mayWrite = (path: string): boolean =>
    workspace?.mode === "direct" &&
    !specification.protectedPaths.some((each) => isWithin(path, each));
  const seen = (): FileTable => new Map([...layers, home, temporary].flatMap((each) => [...each]));
  const tableOf = (path: string): FileTable | undefined => {
    if (isWithin(path, HOME) || isInWorkspace(path)) return home;
    return isWithin(path, TEMPORARY) ? temporary : undefined;
  };
  return {
    read(given) {
      const path = locate(given);
      if (isReal(path)) return existsSync(path) ? readFileSync(path) : undefined;
      return seen().get(path) ?? undefined;
    },
    write(given, content) {
      const path = locate(given);
      if (isReal(path)) {
        if (!mayWrite(path)) return false;
        mkdirSync(dirname(path), { recursive: true });
        writeFileSync(path, content);
        return true;
      }
      return tableOf(path)?.set(path, Buffer.from(content)) !== undefined;
    },
    remove(given) {
      const path = locate(given);
      if (isReal(path)) {
        if (!mayWrite(path) || !existsSync(path)) return false;
        rmSync(path);
        return true;
      }
      return (seen().get(path) ?? null) !== null && tableOf(path)?.set(path, null) !== undefined;
    },
    list(given) {
      const path = locate(given);
      if (isReal(path)) return existsSync(path) ? readdirSync(path).toSorted() : undefined;
      return listTable(seen(), path);
    },
  };
}

function listTable(table: FileTable, directory: string): readonly string[] | undefined {
  const below = [...table]
    .filter(
      ([path, content]) => content !== null && path !== directory && isWithin(path, directory),
    )
    .map(([path]) => posix.relative(directory, path).split("/")[0] ?? "");
  const isThere = below.length > 0 || [HOME, TEMPORARY, "/"].includes(directory);
  return isThere ? [...new Set(below)].toSorted() : undefined;
}
