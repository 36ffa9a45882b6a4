import { createHash } from "node:crypto";
import { closeSync, createReadStream, openSync } from "node:fs";
import { open, stat } from "node:fs/promises";
import { CattlegridError } from "../../../errors/error.ts";
import { hasErrno } from "../../../platform/native/libc.ts";
import type { BaseSource, SandboxBase } from "../../provider.ts";
import { keepOnce, requireShell, type BasesContext } from "./base-place.ts";
import { requireProgram, runProgram } from "./base-program.ts";

const DIGITS = 32;
/** Of an archive, by its first bytes: what tar calls the program that unpacks it. */
const COMPRESSIONS: readonly { magic: string; flag: string; program: string; package: string }[] = [
  { magic: "1f8b", flag: "--gzip", program: "gzip", package: "gzip" },
  { magic: "fd377a585a00", flag: "--xz", program: "xz", package: "xz-utils" },
  { magic: "28b52ffd", flag: "--zstd", program: "zstd", package: "zstd" },
  { magic: "425a68", flag: "--bzip2", program: "bzip2", package: "bzip2" },
];
/** Unpacks an archive once for the same content. */
export async function unpackArchive(
  context: BasesContext,
  { path, digest: wanted }: BaseSource & { kind: "tar" },
  signal: AbortSignal,
): Promise<SandboxBase> {
  const archive = await describeArchive(path);
  const found = await digestFile(path, signal);
  if (wanted !== undefined && wanted !== `sha256:${found}`) {
    const message = `The archive ${path} has the digest sha256:${found}, and not the one that the template names.`;
    throw new CattlegridError("BASE_CHECKSUM", message);
  }
  const id = `tar-${found.slice(0, DIGITS)}`;
  await keepOnce(context, id, async (place) => {
    const fd = openSync(path, "r");
    try {
      // SECURITY: what is hostile in it (devices, links, names with ..) meets an account that is nobody's on this machine, in
      // no network, and tar itself takes no name out of the directory. Devices are ours to make.
      const whose = place.isOwn ? "--same-permissions" : "--no-same-owner";
      const options = ["--numeric-owner", whose, "--exclude=./dev/*", "--exclude=dev/*"];
      const argv = ["tar", "--extract", ...archive, ...options, "--directory", place.inside];
      const message = `The archive ${path} cannot be unpacked`;
      await runProgram([...place.enter, ...argv], { signal, stdin: fd, message });
    } finally {
      closeSync(fd);
    }
    requireShell(place.directory, path);
  });
  return { id };
}

/** Options that tell tar how it is compressed; from a pipe it cannot find that out by itself. */
async function describeArchive(path: string): Promise<readonly string[]> {
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
    if (found === undefined) return [];
    requireProgram(found.program, { from: found.package, why: `It unpacks ${path}.` });
    return [found.flag];
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
