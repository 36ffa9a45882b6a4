import { lstatSync, readdirSync, readFileSync, statSync } from "node:fs";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CattlegridError } from "../../errors/error.ts";
import type { AgentAdapter } from "../agent.ts";
import type { AgentFiles, AgentRegistry, BrokenAgent } from "../registry.ts";
import { readAdapterFile } from "./adapter-file.ts";

const ENDING = ".yaml";
const FILE_BYTES_MAX = 256 * 1024;
const ID = /^[a-z][a-z0-9-]{0,30}$/;

/** Directories of files `ID.yaml`. */
export interface AgentDirectories {
  /** The owner's, which is made when it is needed. */
  own: string;
  /** Those of others, such as the organisation's, which win over the owner's. */
  others: readonly string[];
}

/**
 * The agents that come with the program, and those that files describe. Files are read when somebody asks, so that a
 * change of one counts at once. Does no I/O before.
 */
export function createFileAgents(
  builtIn: AgentRegistry,
  directories: AgentDirectories,
): AgentRegistry {
  const searched = [...directories.others, directories.own];
  const readAll = () => listIds(searched).map((id) => attempt(searched, { id, builtIn }));
  return {
    get: (id) => builtIn.get(id) ?? (ID.test(id) ? readAgent(searched, id) : undefined),
    list: () => [...builtIn.list(), ...readAll().flatMap(({ agent }) => agent ?? [])],
    broken: () => readAll().flatMap(({ broken }) => broken ?? []),
    files: createOwnFiles(directories.own, builtIn),
  };
}

function createOwnFiles(directory: string, builtIn: AgentRegistry): AgentFiles {
  const pathOf = (id: string): string => join(directory, id + ENDING);
  return {
    async add(id, { path, text }) {
      checkId(path, { id, builtIn });
      const agent = readAdapterFile({ path, text }, id);
      await mkdir(directory, { recursive: true, mode: 0o700 });
      const unfinished = `${pathOf(id)}.new`;
      await writeFile(unfinished, text, { mode: 0o600, flush: true });
      await rename(unfinished, pathOf(id));
      return agent;
    },
    async remove(id) {
      if (ID.test(id) && isThere(pathOf(id))) return rm(pathOf(id), { force: true });
      throw new CattlegridError("AGENT_UNKNOWN", `You have no agent of your own called ${id}.`, {
        hint: "See `cattlegrid agents ls`; those that are built in stay.",
      });
    },
  };
}

interface Named {
  id: string;
  builtIn: AgentRegistry;
}

/** One file that is wrong takes nobody's other agents away. */
function attempt(
  directories: readonly string[],
  named: Named,
): { agent?: AgentAdapter; broken?: BrokenAgent } {
  const { id } = named;
  try {
    checkId(findFile(directories, id) ?? id, named);
    const agent = readAgent(directories, id);
    return agent === undefined ? {} : { agent };
  } catch (error) {
    if (!(error instanceof CattlegridError)) throw error;
    return { broken: { id, error } };
  }
}

function readAgent(directories: readonly string[], id: string): AgentAdapter | undefined {
  const path = findFile(directories, id);
  return path === undefined ? undefined : readAdapterFile({ path, text: readText(path) }, id);
}

function listIds(directories: readonly string[]): readonly string[] {
  const names = directories.flatMap((directory) => readNames(directory));
  const ids = names
    .filter((name) => name.endsWith(ENDING))
    .map((name) => name.slice(0, -ENDING.length));
  return [...new Set(ids)].toSorted();
}

function readNames(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return [];
    throw unreadable(directory, message);
  }
}

function findFile(directories: readonly string[], id: string): string | undefined {
  return directories.map((directory) => join(directory, id + ENDING)).find(isThere);
}

function isThere(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch (error) {
    throw unreadable(path, (error as Error).message);
  }
}

function readText(path: string): string {
  const bytes = readBytes(path);
  if (bytes.length <= FILE_BYTES_MAX) return bytes.toString("utf8");
  throw new CattlegridError("AGENT_FILE_INVALID", `${path} is larger than 256 KiB.`);
}

/** A link is followed: whoever may write the directory may write the file as well. */
function readBytes(path: string): Buffer {
  try {
    // Reading anything else, such as a pipe, might never end.
    if (statSync(path).isFile()) return readFileSync(path);
  } catch (error) {
    throw unreadable(path, (error as Error).message);
  }
  throw unreadable(path, "it is no file");
}

function unreadable(path: string, why: string): CattlegridError {
  return new CattlegridError("AGENT_FILE_INVALID", `${path} cannot be read: ${why}.`, {
    hint: "Make it readable for you, or move it away.",
  });
}

function checkId(path: string, { id, builtIn }: Named): void {
  if (!ID.test(id)) {
    throw new CattlegridError("AGENT_FILE_INVALID", `${path}: ${id} is no name for an agent.`, {
      hint: "Name the file with small letters, digits and `-`, such as my-agent.yaml.",
    });
  }
  if (builtIn.get(id) === undefined) return;
  throw new CattlegridError("AGENT_FILE_INVALID", `${path}: ${id} is an agent that is built in.`, {
    hint: "Give the file another name: its name is the agent's.",
  });
}
