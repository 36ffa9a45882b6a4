import { randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, open, rename, rm, stat } from "node:fs/promises";
import { isatty } from "node:tty";
import { CattlegridError } from "../../errors/error.ts";
import { type Caller, write } from "../caller.ts";

/** More than the daemon takes, so that it is the daemon which says what is too large; not more than it reads. */
const BYTES_MAX = 20 * 1024 * 1024;

/** `-` is standard input, where that is no terminal. Throws USAGE, COPY_SOURCE, BUNDLE_TOO_LARGE. */
export async function readBundleFile(path: string, { input }: Caller): Promise<Buffer> {
  if (path === "-" && input.isTTY) {
    const message = "A bundle is not typed: --import - reads it from a pipe.";
    throw new CattlegridError("USAGE", message, { hint: "Name the file: --import FILE." });
  }
  const source = path === "-" ? input : createReadStream(path);
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  try {
    for await (const chunk of source) {
      chunks.push(chunk as Buffer);
      sizeBytes += (chunk as Buffer).length;
      if (sizeBytes > BYTES_MAX) break;
    }
  } catch (error) {
    const { message } = error as Error;
    throw new CattlegridError("COPY_SOURCE", `The bundle cannot be read: ${message}`, {
      cause: error,
    });
  }
  if (sizeBytes <= BYTES_MAX) return Buffer.concat(chunks);
  const message = `The bundle has more than ${BYTES_MAX} bytes.`;
  throw new CattlegridError("BUNDLE_TOO_LARGE", message);
}

/**
 * Writes a bundle whole or not at all. SECURITY: a file is readable to its owner alone from the first moment on; nothing is
 * written to a terminal, whatever it is called.
 */
export async function writeBundleFile(
  path: string,
  bundle: AsyncIterable<Buffer>,
  { output }: Caller,
): Promise<void> {
  if (path === "-") {
    if (output.isTTY) throw refuseTerminal("standard output");
    for await (const part of bundle) await write(output, part);
    return;
  }
  const found = await stat(path).catch(orUndefined);
  if (found !== undefined && !found.isFile()) return writeInto(path, bundle);
  const draft = `${path}.${randomBytes(4).toString("hex")}.new`;
  try {
    const file = await open(draft, "wx", 0o600).catch(refuseTarget);
    await fill(file, bundle);
    await rename(draft, path).catch(refuseTarget);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
}

/** A pipe or device takes it as it comes. */
async function writeInto(path: string, bundle: AsyncIterable<Buffer>): Promise<void> {
  const file = await open(path, "w").catch(refuseTarget);
  if (!isatty(file.fd)) return fill(file, bundle);
  await file.close();
  throw refuseTerminal(path);
}

async function fill(file: FileHandle, bundle: AsyncIterable<Buffer>): Promise<void> {
  try {
    for await (const part of bundle) await file.writeFile(part);
  } finally {
    await file.close();
  }
}

function orUndefined(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
  refuseTarget(error);
}

function refuseTarget(error: unknown): never {
  const { message } = error as Error;
  throw new CattlegridError("COPY_TARGET", `The bundle cannot be written: ${message}`, {
    cause: error,
  });
}

function refuseTerminal(what: string): CattlegridError {
  const message = `A bundle is a sign-in, and ${what} is a terminal.`;
  return new CattlegridError("USAGE", message, { hint: "Name a file, or redirect the output." });
}
