import { constants, readlinkSync } from "node:fs";
import { open } from "node:fs/promises";
import type { ErrorCode } from "../errors/codes.ts";
import { CattlegridError } from "../errors/error.ts";
import { isWithin } from "./paths.ts";

export interface PlainFileOptions {
  bytesMax: number;
  /** A real path that the file must lie below, whatever links are on the way. */
  within: string;
  /** Of what is thrown; default: CONFIG_INVALID. */
  code?: ErrorCode;
}

/** The text of such a file. */
export async function openPlainFile(
  path: string,
  options: PlainFileOptions,
): Promise<string | undefined> {
  return (await readPlainFile(path, options))?.toString("utf8");
}

/**
 * The bytes of a small regular file in a directory that somebody else may write; undefined when it is not there.
 * SECURITY: no link leads it out of `within`, no pipe is waited for, no more than `bytesMax` is read.
 */
export async function readPlainFile(
  path: string,
  { bytesMax, within, code: errorCode = "CONFIG_INVALID" }: PlainFileOptions,
): Promise<Buffer | undefined> {
  const refuse = (why: string): CattlegridError =>
    new CattlegridError(errorCode, `${path} is not read: ${why}.`);
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  let file;
  try {
    file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw refuse(code === "ELOOP" ? "it is a link" : message);
  }
  try {
    if (!(await file.stat()).isFile()) throw refuse("it is no regular file");
    const real = process.platform === "linux" ? readlinkSync(`/proc/self/fd/${file.fd}`) : path;
    if (!isWithin(real, within)) throw refuse("a link on the way leads elsewhere");
    const { bytesRead, buffer } = await file.read(Buffer.alloc(bytesMax + 1), 0, bytesMax + 1, 0);
    if (bytesRead > bytesMax) throw refuse(`it has more than ${bytesMax} bytes`);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
