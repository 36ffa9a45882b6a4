import {
  closeSync,
  fchmodSync,
  fchownSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { CattlegridError } from "../errors/error.ts";

/** Every byte is one character, so that what is not understood stays as it is. */
type ByteText = string;

const PRIVATE = 0o600;

/**
 * Changes a file that belongs to the user and not to this program, whole or not at all: links stay links, mode and owner stay,
 * and what somebody else writes meanwhile is not overwritten. Made, 0600, when it is not there. Returns whether anything had to
 * be changed. Throws CONFIG_INVALID.
 */
export function rewriteUserFile(path: string, change: (text: ByteText) => ByteText): boolean {
  const target = findTarget(path);
  const before = statSync(target, { bigint: true, throwIfNoEntry: false });
  const text = before === undefined ? "" : readFileSync(target, "latin1");
  const changed = change(text);
  if (changed === text) return false;
  const temporary = `${target}.cattlegrid-${process.pid}`;
  try {
    write(temporary, changed, before);
    const now = statSync(target, { bigint: true, throwIfNoEntry: false });
    if (now?.mtimeNs !== before?.mtimeNs || now?.ino !== before?.ino) {
      throw refuse(path, "somebody else changed it meanwhile");
    }
    renameSync(temporary, target);
  } finally {
    rmSync(temporary, { force: true });
  }
  return true;
}

export function toByteText(text: string): ByteText {
  return Buffer.from(text, "utf8").toString("latin1");
}

/** The file behind a link, as those have it who keep their configuration elsewhere. */
function findTarget(path: string): string {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    return path;
  }
  const file = statSync(path, { throwIfNoEntry: false });
  if (file === undefined) throw refuse(path, "the link leads nowhere");
  if (!file.isFile()) throw refuse(path, "it is no file");
  return realpathSync(path);
}

function write(
  path: string,
  text: ByteText,
  like: { mode: bigint; uid: bigint; gid: bigint } | undefined,
): void {
  const file = openSync(path, "wx", PRIVATE);
  try {
    writeFileSync(file, text, "latin1");
    if (like !== undefined) {
      if (process.getuid?.() === 0) fchownSync(file, Number(like.uid), Number(like.gid));
      fchmodSync(file, Number(like.mode & 0o777n));
    }
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function refuse(path: string, why: string): CattlegridError {
  return new CattlegridError("CONFIG_INVALID", `${path} is not changed: ${why}.`, {
    hint: "Look at the file, then run the command again.",
  });
}
