import { Readable } from "node:stream";
import { constants, createZstdDecompress, zstdCompressSync } from "node:zlib";
import { CattlegridError } from "../errors/error.ts";
import type { TarEntry } from "../platform/tar/tar-entry.ts";
import { readTar } from "../platform/tar/tar-reader.ts";
import { endEntry, endTar, writeHeader } from "../platform/tar/tar-writer.ts";

/** Of a bundle as it travels. One is some hundred KiB; by hand, with an agent's unpacked runtime beside it, more. */
export const BUNDLE_BYTES_MAX = 16 * 1024 * 1024;
/** Of what is kept of it. */
export const SIGN_IN_BYTES_MAX = 32 * 1024 * 1024;
const CONTENT_BYTES_MAX = 512 * 1024 * 1024;
const ENTRIES_MAX = 20_000;
/** More than a database of text or a program gives; a bomb is beyond by orders of magnitude. */
const RATIO_MAX = 200;
/** A small bundle may be mostly zeros: padding of tar, empty pages. */
const RATIO_FREE_BYTES = 8 * 1024 * 1024;
/** SECURITY: what a frame may make the decompressor set aside, as a power of two: 8 MiB, which `zstd` writes by default. */
const WINDOW_LOG_MAX = 23;

const ZSTD_MAGIC = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);
/** The same as the first characters of base64. */
const BASE64_MAGIC = "KLUv/";

/** Files of a sign-in by their path in its directory. */
export type SignInFiles = ReadonlyMap<string, Buffer>;

/** `tar -c . | zstd` of a directory that holds these files and nothing else. */
export function writeBundle(files: SignInFiles): Buffer {
  const directory = { name: "./", type: "directory", mode: 0o700, sizeBytes: 0 } as const;
  const parts = [writeHeader({ ...directory, modifiedSeconds: 0, target: "" })];
  for (const [path, bytes] of files) {
    const file = { name: `./${path}`, type: "file", mode: 0o600 } as const;
    const rest = { sizeBytes: bytes.length, modifiedSeconds: 0, target: "" };
    parts.push(writeHeader({ ...file, ...rest }), bytes, endEntry(bytes.length));
  }
  return zstdCompressSync(Buffer.concat([...parts, endTar()]));
}

/**
 * Reads what `writeBundle` or `tar -c . | zstd` wrote, in base64 or not, and keeps the files of `wanted`. SECURITY: whoever
 * made it may be hostile. It is decompressed here and not where a sign-in lives; every entry is judged, also those that
 * nobody wants, and one that is wrong refuses the whole. Nothing is written anywhere. Throws BUNDLE_INVALID and
 * BUNDLE_TOO_LARGE.
 */
export async function readBundle(
  bundle: Uint8Array,
  wanted: readonly string[],
): Promise<SignInFiles> {
  const bytes = decode(Buffer.from(bundle.buffer, bundle.byteOffset, bundle.byteLength));
  const found = new Map<string, Buffer>();
  try {
    let entries = 0;
    for await (const { entry, content } of readTar(decompress(bytes))) {
      if (++entries > ENTRIES_MAX) throw tooLarge(`more than ${ENTRIES_MAX} entries`);
      const path = checkEntry(entry);
      if (entry.type !== "file" || !wanted.includes(path)) continue;
      if (found.has(path)) throw invalid(`it has ${show(path)} twice`);
      if (entry.sizeBytes > SIGN_IN_BYTES_MAX) throw tooLarge(`a file of ${entry.sizeBytes} bytes`);
      const parts: Buffer[] = [];
      for await (const part of content) parts.push(Buffer.from(part));
      found.set(path, Buffer.concat(parts));
    }
    return found;
  } catch (error) {
    throw explain(error);
  }
}

/** Base64 is what fits into a text field, and so how some pass a bundle on. */
function decode(bundle: Buffer): Buffer {
  if (bundle.length > BUNDLE_BYTES_MAX * 2) throw tooLarge(`${bundle.length} bytes`);
  const start = bundle.toString("latin1", 0, 64).trimStart();
  const bytes = start.startsWith(BASE64_MAGIC)
    ? Buffer.from(bundle.toString("latin1"), "base64")
    : bundle;
  if (bytes.length > BUNDLE_BYTES_MAX) throw tooLarge(`${bytes.length} bytes`);
  if (bytes.subarray(0, 4).equals(ZSTD_MAGIC)) return bytes;
  throw invalid("it is not compressed by zstd");
}

async function* decompress(bytes: Buffer): AsyncGenerator<Buffer> {
  const decompressor = createZstdDecompress({
    params: { [constants.ZSTD_d_windowLogMax]: WINDOW_LOG_MAX },
  });
  let sizeBytes = 0;
  try {
    for await (const chunk of Readable.from([bytes]).pipe(decompressor)) {
      const part = chunk as Buffer;
      sizeBytes += part.length;
      if (sizeBytes > CONTENT_BYTES_MAX) throw tooLarge(`more than ${CONTENT_BYTES_MAX} bytes`);
      if (sizeBytes > RATIO_FREE_BYTES && sizeBytes > bytes.length * RATIO_MAX) {
        throw tooLarge(`more than ${RATIO_MAX} times its own size`);
      }
      yield part;
    }
  } finally {
    decompressor.destroy();
  }
}

/** The path in the sign-in's directory. */
function checkEntry({ name, type }: TarEntry): string {
  if (type === "link") throw invalid(`${show(name)} is a link`);
  if (type === "other") throw invalid(`${show(name)} is a device, a pipe or a hard link`);
  const path = name.replace(/^(\.\/+)+/, "").replace(/\/+$/, "");
  if (name.startsWith("/")) throw invalid(`${show(name)} begins at the root`);
  if (path.split("/").includes("..")) throw invalid(`${show(name)} leads upwards`);
  if (path.includes("\0")) throw invalid(`${show(name)} is no name`);
  return path;
}

function explain(error: unknown): unknown {
  if (CattlegridError.is(error, "COPY_REFUSED"))
    return invalid("it ends early, or is no tar", error);
  if (CattlegridError.is(error)) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  if (code?.startsWith("ZSTD_") || code?.startsWith("ERR_") || code === "Z_BUF_ERROR") {
    return invalid(`it cannot be decompressed (${message})`, error);
  }
  return error;
}

/** SECURITY: a name is the maker's, and nothing that a terminal would obey is shown of it. */
function show(name: string): string {
  return JSON.stringify(name.slice(0, 120)).replaceAll(/[^\x20-\x7e]/g, "?");
}

function invalid(why: string, cause?: unknown): CattlegridError {
  return new CattlegridError("BUNDLE_INVALID", `The bundle is refused: ${why}.`, { cause });
}

function tooLarge(what: string): CattlegridError {
  return new CattlegridError("BUNDLE_TOO_LARGE", `The bundle is refused: it has ${what}.`);
}
