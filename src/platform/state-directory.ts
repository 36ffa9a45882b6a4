import { randomUUID } from "node:crypto";
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { CattlegridError } from "../errors/error.ts";

export const MARKER_FILE = "cattlegrid.json";
/** Each in a directory of its own. */
export const TEMPLATE_FILE = "cattlegrid.template.yaml";
const MARKER_UNFINISHED = `.${MARKER_FILE}.new`;

const markerSchema = z.object({
  product: z.literal("cattlegrid"),
  installation: z.string().min(8),
});

/**
 * Makes the state directory, or checks that it is one. Returns the installation id.
 * Throws STATE_NOT_OURS for a directory that holds anything but has no marker: `reset` removes every byte of
 * the state directory, so nothing of somebody else's may ever come to be one.
 */
export function openStateDirectory(path: string): string {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    closeToOthers(path);
    const entries = readdirSync(path).filter((name) => name !== MARKER_UNFINISHED);
    if (entries.every((name) => isOwnTemplates(path, name))) return writeMarker(path);
    if (!entries.includes(MARKER_FILE)) throw notOurs(path, "holds other files");
    return readMarker(path);
  } catch (error) {
    throw describe(path, error);
  }
}

/** Throws STATE_NOT_OURS for a directory that holds anything and is not one of ours. */
export function checkStateDirectory(path: string): void {
  if (readdirSync(path).length > 0) readMarker(path);
}

/**
 * SECURITY: whoever owns the directory, or can write to it, can read every sign-in and choose what the daemon opens. A
 * marker says nothing about that: in /tmp anybody can have put one there first.
 */
function closeToOthers(path: string): void {
  const { uid, mode } = statSync(path);
  if (uid !== process.getuid?.()) throw notOurs(path, `belongs to user ${uid}`);
  if ((mode & 0o022) === 0) return;
  if (readdirSync(path).length > 0) throw notOurs(path, "can be written by other users");
  chmodSync(path, 0o700);
}

/** A user may have put templates in place before anything was started: by their names they are nobody else's. */
function isOwnTemplates(path: string, name: string): boolean {
  if (name !== "templates" || !statSync(join(path, name)).isDirectory()) return false;
  return readdirSync(join(path, name)).every((each) =>
    statSync(join(path, name, each, TEMPLATE_FILE), { throwIfNoEntry: false })?.isFile(),
  );
}

function writeMarker(path: string): string {
  const installation = randomUUID();
  const unfinished = join(path, MARKER_UNFINISHED);
  const content = { product: "cattlegrid", installation };
  writeFileSync(unfinished, `${JSON.stringify(content)}\n`, { mode: 0o600 });
  chmodSync(path, 0o700);
  renameSync(unfinished, join(path, MARKER_FILE));
  return readMarker(path);
}

function readMarker(path: string): string {
  const text = readMarkerText(join(path, MARKER_FILE));
  const marker = markerSchema.safeParse(parseJson(text));
  if (!marker.success) throw notOurs(path, `has a ${MARKER_FILE} that Cattlegrid did not write`);
  return marker.data.installation;
}

function readMarkerText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
    throw error;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function notOurs(path: string, why: string): CattlegridError {
  return new CattlegridError("STATE_NOT_OURS", `${path} ${why}.`);
}

function describe(path: string, error: unknown): unknown {
  switch ((error as NodeJS.ErrnoException).code) {
    case "ENOSPC":
    case "EDQUOT":
      return new CattlegridError("DISK_FULL", `No space is left for ${path}.`, { cause: error });
    case "EEXIST":
    case "ENOTDIR":
      return notOurs(path, "is not a directory");
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return notOurs(path, "cannot be written");
    default:
      return error;
  }
}
