import { createHash } from "node:crypto";

const HEADER_BYTES = 12;
const STAT_BYTES = 24;
const OBJECT_OFFSET = 40;
const OBJECT_BYTES = 20;
const FLAGS_OFFSET = OBJECT_OFFSET + OBJECT_BYTES;
const NAME_OFFSET = FLAGS_OFFSET + 2;
const EXTENDED = 0x4000;
const ENTRY_ALIGNMENT = 8;

/** Whether a path is the index of a working tree. */
export function isGitIndex(path: string): boolean {
  return path === ".git/index" || path.endsWith("/.git/index");
}

/**
 * What a git index says is staged, as one hash: names, modes and objects, without the times and inodes that git keeps beside them.
 * Every `git status` writes those anew, which is no change of anybody's. Undefined for what is not an index of version 2 or 3.
 */
export function hashStaged(index: Buffer): string | undefined {
  if (index.length < HEADER_BYTES || index.toString("latin1", 0, 4) !== "DIRC") return undefined;
  const version = index.readUInt32BE(4);
  if (version !== 2 && version !== 3) return undefined;
  const hash = createHash("sha256");
  let offset = HEADER_BYTES;
  for (let left = index.readUInt32BE(8); left > 0; left -= 1) {
    const end = endOfEntry(index, offset);
    if (end === undefined) return undefined;
    hash.update(index.subarray(offset + STAT_BYTES, offset + STAT_BYTES + 4));
    hash.update(index.subarray(offset + OBJECT_OFFSET, end));
    offset = end;
  }
  return hash.digest("hex");
}

function endOfEntry(index: Buffer, offset: number): number | undefined {
  if (offset + NAME_OFFSET > index.length) return undefined;
  const isExtended = (index.readUInt16BE(offset + FLAGS_OFFSET) & EXTENDED) !== 0;
  const nameStart = offset + NAME_OFFSET + (isExtended ? 2 : 0);
  const nameEnd = index.indexOf(0, nameStart);
  if (nameEnd === -1) return undefined;
  // Names end with one to eight zeros, so that the next entry begins at a multiple of eight from this one.
  const length = nameEnd + 1 - offset;
  const end = offset + Math.ceil(length / ENTRY_ALIGNMENT) * ENTRY_ALIGNMENT;
  return end <= index.length ? end : undefined;
}
