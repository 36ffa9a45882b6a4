import { lstat, readdir, realpath } from "node:fs/promises";
import { basename, join } from "node:path";
import { CattlegridError } from "../../errors/error.ts";
import { readPlainFile } from "../../platform/plain-file.ts";
import { isWithin } from "../../platform/paths.ts";
import {
  IMPORT_CHARACTERS_MAX,
  IMPORT_FILES_MAX,
  IMPORT_STEERING_NAME,
  type Imported,
  type ImportedServer,
  type ImportPlaces,
} from "../../protocol/imported.ts";
import { readServer } from "./own-server.ts";

/** Agents keep more than servers in some of these files. */
const SERVERS_BYTES_MAX = 4 * 1024 * 1024;

export interface OwnConfiguration {
  imported: Imported;
  /** What was found and is not taken, each with the reason; never a secret. */
  leftOut: readonly string[];
}

interface Reading {
  /** Real path. */
  home: string;
  leftOut: string[];
}

/**
 * What of a person's own configuration could be taken along. SECURITY: plain files below the home directory only, no links,
 * none that looks as if it held a secret.
 */
export async function readOwnConfiguration(
  places: ImportPlaces,
  homeDirectory: string,
): Promise<OwnConfiguration> {
  const reading = { home: await realpath(homeDirectory), leftOut: [] };
  const imported = {
    steering: await readSteering(places.steering, reading),
    mcpServers: await readServers(places.mcp, reading),
  };
  return { imported, leftOut: reading.leftOut };
}

async function readSteering(
  places: readonly string[],
  reading: Reading,
): Promise<{ name: string; content: string }[]> {
  const files = (await Promise.all(places.map((place) => listFiles(place, reading)))).flat();
  const taken: { name: string; content: string }[] = [];
  for (const path of files) {
    const name = basename(path);
    if (!IMPORT_STEERING_NAME.test(name)) {
      reading.leftOut.push(`~/${path} has a name that cannot be taken`);
      continue;
    }
    if (taken.length === IMPORT_FILES_MAX) {
      reading.leftOut.push(`~/${path} is more than ${IMPORT_FILES_MAX} files`);
      continue;
    }
    const content = await readText(path, IMPORT_CHARACTERS_MAX, reading);
    if (content === undefined || (await holdsSecret(path, content, reading))) continue;
    taken.push({ name, content });
  }
  return taken;
}

/** Relative to the home directory. */
async function listFiles(place: string, { home, leftOut }: Reading): Promise<readonly string[]> {
  const path = join(home, place);
  try {
    const found = await lstat(path);
    if (found.isSymbolicLink() || !isWithin(await realpath(path), home)) {
      leftOut.push(`~/${place} is a link`);
      return [];
    }
    if (!found.isDirectory()) return [place];
    const names = (await readdir(path)).filter((name) => name.endsWith(".md")).toSorted();
    return names.map((name) => join(place, name));
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (code !== "ENOENT" && code !== "ENOTDIR") leftOut.push(`~/${place} cannot be read: ${code}`);
    return [];
  }
}

async function readServers(
  places: ImportPlaces["mcp"],
  reading: Reading,
): Promise<Record<string, ImportedServer>> {
  const taken: Record<string, ImportedServer> = {};
  for (const { path, keys } of places) {
    const text = await readText(path, SERVERS_BYTES_MAX, reading);
    if (text === undefined) continue;
    const table = findTable(text, keys);
    if (table === undefined) reading.leftOut.push(`~/${path} is no JSON`);
    for (const [name, said] of Object.entries(table ?? {})) {
      const read = await readServer(name, said);
      if (read === undefined) continue;
      if (typeof read === "string") reading.leftOut.push(`the MCP server ${name} ${read}`);
      else if (Object.keys(taken).length < IMPORT_FILES_MAX) taken[name] = read;
    }
  }
  return taken;
}

/** Undefined for a text that is no JSON; empty where the keys lead nowhere. */
function findTable(
  text: string,
  keys: readonly string[],
): Readonly<Record<string, unknown>> | undefined {
  try {
    let value: unknown = JSON.parse(text);
    for (const key of keys) value = (value as Record<string, unknown> | null | undefined)?.[key];
    return typeof value === "object" && value !== null ? { ...value } : {};
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

async function readText(
  path: string,
  bytesMax: number,
  { home, leftOut }: Reading,
): Promise<string | undefined> {
  try {
    const bytes = await readPlainFile(join(home, path), { bytesMax, within: home });
    return bytes && new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    const why = CattlegridError.is(error)
      ? error.message.replace(`${home}/`, "~/").replace(/\.$/, "")
      : `~/${path} is no text`;
    leftOut.push(why);
    return undefined;
  }
}

async function holdsSecret(path: string, text: string, { leftOut }: Reading): Promise<boolean> {
  const { scanSecrets } = await import("../../platform/secret-scan.ts");
  const [reason] = await scanSecrets(path, text);
  if (reason !== undefined) leftOut.push(`~/${path} ${reason}`);
  return reason !== undefined;
}
