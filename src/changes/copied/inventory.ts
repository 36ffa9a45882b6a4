import { foldName } from "../../airlock/name.ts";
import { CattlegridError } from "../../errors/error.ts";

/** What lies at a path of the copy inside a sandbox. */
export interface InventoryEntry {
  kind: "file" | "directory" | "link" | "other";
  /** Permission bits, 0o0000 to 0o7777. */
  mode: number;
  size: number;
  /** Differs once anything of the entry has changed. */
  stamp: string;
  /** Of a link. */
  target?: string;
}

/** By path, relative to the workspace. */
export interface Inventory {
  entries: ReadonlyMap<string, InventoryEntry>;
  /** Names that are not UTF-8, as they look; they cannot be brought out. */
  undecodable: readonly string[];
}

export const INVENTORY_ENTRIES_MAX = 400_000;
const PATH_BYTES_MAX = 4096;
const FIELDS = /^([a-zA-Z]) ([0-7]{1,6}) (\d{1,15}) (-?\d{1,15}(?:\.\d{1,12})?) ([^]*)$/;
const KINDS: Readonly<Record<string, InventoryEntry["kind"]>> = {
  f: "file",
  d: "directory",
  l: "link",
};

/** What `find -printf` is told, so that `parseInventory` reads it: each entry is two texts that end with a NUL. */
export const INVENTORY_FORMAT = String.raw`%y %m %s %C@ %l\0%P\0`;

/**
 * Reads the list that a program inside wrote. Throws COPY_REFUSED.
 * SECURITY: an agent may have written it. Paths are keys here and never lead anywhere on this machine, and one that could
 * mean a place outside the workspace is refused.
 */
export function parseInventory(output: Buffer): Inventory {
  const entries = new Map<string, InventoryEntry>();
  const undecodable: string[] = [];
  for (let start = 0; start < output.length;) {
    const fields = readField(output, start);
    const name = readField(output, fields.end);
    start = name.end;
    const path = name.bytes.toString("utf8");
    if (!Buffer.from(path).equals(name.bytes)) undecodable.push(path);
    else if (entries.has(path)) throw refuse(path, "it comes twice");
    else entries.set(checkPath(path), parseFields(fields.bytes.toString("utf8"), path));
    if (entries.size + undecodable.length > INVENTORY_ENTRIES_MAX) throw tooMany();
  }
  return { entries, undecodable };
}

/** Throws COPY_REFUSED for what is no path below the workspace. */
export function checkPath(path: string): string {
  const names = path.split("/");
  if (path.includes("\0")) throw refuse(path, "its name holds a NUL");
  if (names.some((name) => name === "" || name === "." || name === "..")) {
    throw refuse(path, "it is no path below the workspace");
  }
  if (Buffer.byteLength(path) > PATH_BYTES_MAX) throw refuse(path, "its name is too long");
  return path;
}

/** SECURITY: git's own directory never travels, in either direction and under whatever spelling a file system takes for it. */
export function isGitsOwn(path: string): boolean {
  return path.split("/").some((name) => foldName(name) === ".git");
}

function readField(output: Buffer, start: number): { bytes: Buffer; end: number } {
  const end = output.indexOf(0, start);
  if (end === -1) throw new CattlegridError("COPY_REFUSED", "The list of files ends early.");
  return { bytes: output.subarray(start, end), end: end + 1 };
}

function parseFields(text: string, path: string): InventoryEntry {
  const [, letter = "", mode = "", size = "", changed = "", target = ""] = FIELDS.exec(text) ?? [];
  if (letter === "") throw refuse(path, "what is said of it cannot be read");
  const kind = KINDS[letter] ?? "other";
  const stamp = kind === "directory" ? mode : `${letter} ${mode} ${size} ${changed}`;
  const own = { kind, mode: Number.parseInt(mode, 8) & 0o7777, size: Number(size), stamp };
  return kind === "link" ? { ...own, target } : own;
}

function tooMany(): CattlegridError {
  return new CattlegridError(
    "CHANGES_TOO_LARGE",
    `The workspace in the sandbox holds more than ${INVENTORY_ENTRIES_MAX} files and directories.`,
  );
}

function refuse(path: string, why: string): CattlegridError {
  const shown = JSON.stringify(path.slice(0, 200));
  return new CattlegridError("COPY_REFUSED", `The entry ${shown} is refused: ${why}.`);
}
