import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, stat } from "node:fs/promises";
import { CattlegridError } from "../../errors/error.ts";
import { hasErrno } from "../../platform/native/libc.ts";
import type { BaseSource } from "../provider.ts";
import { DIGITS } from "./identity.ts";
import { requireProgram } from "./program.ts";

/** What unpacks an archive, and what tar calls that. */
export interface Compression {
  program: string;
  flag: string;
}

/** By the first bytes of an archive. */
const COMPRESSIONS: readonly (Compression & { magic: string; package: string })[] = [
  { magic: "1f8b", flag: "--gzip", program: "gzip", package: "gzip" },
  { magic: "fd377a585a00", flag: "--xz", program: "xz", package: "xz-utils" },
  { magic: "28b52ffd", flag: "--zstd", program: "zstd", package: "zstd" },
  { magic: "425a68", flag: "--bzip2", program: "bzip2", package: "bzip2" },
];

export interface FoundArchive {
  /** Of its content. */
  id: string;
  /** Undefined for one that is none. */
  compression: Compression | undefined;
}

/** Looks at an archive. Throws BASE_INVALID, BASE_CHECKSUM, or DEPENDENCY_MISSING for what would unpack it. */
export async function findArchive(
  { path, digest: wanted }: BaseSource & { kind: "tar" },
  signal: AbortSignal,
): Promise<FoundArchive> {
  const compression = await findCompression(path);
  const found = await digestFile(path, signal);
  if (wanted !== undefined && wanted !== `sha256:${found}`) {
    const message = `The archive ${path} has the digest sha256:${found}, and not the one that the template names.`;
    throw new CattlegridError("BASE_CHECKSUM", message);
  }
  return { id: `tar-${found.slice(0, DIGITS)}`, compression };
}

async function findCompression(path: string): Promise<Compression | undefined> {
  const refuse = (why: string): CattlegridError =>
    new CattlegridError("BASE_INVALID", `The archive ${path} ${why}.`);
  let file;
  try {
    if (!(await stat(path)).isFile()) throw refuse("is no file");
    file = await open(path);
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR")) throw refuse("does not exist");
    if (hasErrno(error, "EACCES")) throw refuse("cannot be read");
    throw error;
  }
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(6), 0, 6, 0);
    const head = buffer.subarray(0, bytesRead).toString("hex");
    const found = COMPRESSIONS.find(({ magic }) => head.startsWith(magic));
    if (found !== undefined)
      requireProgram(found.program, { from: found.package, why: `It unpacks ${path}.` });
    return found;
  } finally {
    await file.close();
  }
}

async function digestFile(path: string, signal: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  for await (const bytes of createReadStream(path, { signal, highWaterMark: 1 << 20 })) {
    hash.update(bytes as Buffer);
  }
  return hash.digest("hex");
}
