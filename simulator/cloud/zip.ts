import { createReadStream } from "node:fs";
import { open, stat } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { crc32 } from "node:zlib";

export interface ZipEntry {
  /** Path inside the archive, with forward slashes. */
  name: string;
  /** Unix permission bits. */
  mode: number;
  content: { path: string } | { bytes: Buffer };
}

interface Written {
  name: Buffer;
  mode: number;
  checksum: number;
  bytes: number;
  offset: number;
}

const REGULAR_FILE = 0o100000;
/** 1 January 2026: a fixed date keeps equal content equal byte for byte. */
const DOS_DATE = ((2026 - 1980) << 9) | (1 << 5) | 1;
/** Made by Unix, version 2.0: readers then honour the permission bits. */
const MADE_BY_UNIX = (3 << 8) | 20;

/**
 * Writes a zip whose entries are stored, not compressed: the archive is read once, from loopback, so
 * time matters and size does not. Entries stay below 4 GiB; there is no zip64.
 */
export async function writeZip(path: string, entries: readonly ZipEntry[]): Promise<void> {
  await using file = await open(path, "wx", 0o600);
  const written: Written[] = [];
  let offset = 0;
  for (const entry of entries) {
    const header = await describeEntry(entry, offset);
    offset += await append(file, localHeader(header));
    for await (const chunk of contentOf(entry)) offset += await append(file, chunk);
    written.push(header);
  }
  const directory = Buffer.concat(written.map(directoryHeader));
  await append(file, directory);
  await append(file, endOfDirectory({ entries: written.length, bytes: directory.length, offset }));
}

async function append(file: FileHandle, bytes: Buffer): Promise<number> {
  await file.writeFile(bytes);
  return bytes.length;
}

async function describeEntry(entry: ZipEntry, offset: number): Promise<Written> {
  let checksum = 0;
  for await (const chunk of contentOf(entry)) checksum = crc32(chunk, checksum);
  const bytes =
    "bytes" in entry.content ? entry.content.bytes.length : (await stat(entry.content.path)).size;
  return { name: Buffer.from(entry.name), mode: entry.mode, checksum, bytes, offset };
}

async function* contentOf(entry: ZipEntry): AsyncGenerator<Buffer> {
  if ("bytes" in entry.content) {
    yield entry.content.bytes;
    return;
  }
  const stream = createReadStream(entry.content.path, { highWaterMark: 4 * 1024 * 1024 });
  for await (const chunk of stream as AsyncIterable<Buffer>) yield chunk;
}

function localHeader(entry: Written): Buffer {
  const header = Buffer.alloc(30);
  header.writeUInt32LE(0x04034b50, 0);
  header.writeUInt16LE(20, 4);
  header.writeUInt16LE(DOS_DATE, 12);
  header.writeUInt32LE(entry.checksum, 14);
  header.writeUInt32LE(entry.bytes, 18);
  header.writeUInt32LE(entry.bytes, 22);
  header.writeUInt16LE(entry.name.length, 26);
  return Buffer.concat([header, entry.name]);
}

function directoryHeader(entry: Written): Buffer {
  const header = Buffer.alloc(46);
  header.writeUInt32LE(0x02014b50, 0);
  header.writeUInt16LE(MADE_BY_UNIX, 4);
  header.writeUInt16LE(20, 6);
  header.writeUInt16LE(DOS_DATE, 14);
  header.writeUInt32LE(entry.checksum, 16);
  header.writeUInt32LE(entry.bytes, 20);
  header.writeUInt32LE(entry.bytes, 24);
  header.writeUInt16LE(entry.name.length, 28);
  header.writeUInt32LE(((REGULAR_FILE | entry.mode) << 16) >>> 0, 38);
  header.writeUInt32LE(entry.offset, 42);
  return Buffer.concat([header, entry.name]);
}

function endOfDirectory(directory: { entries: number; bytes: number; offset: number }): Buffer {
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(directory.entries, 8);
  end.writeUInt16LE(directory.entries, 10);
  end.writeUInt32LE(directory.bytes, 12);
  end.writeUInt32LE(directory.offset, 16);
  return end;
}
