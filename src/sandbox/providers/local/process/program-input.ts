import { Socket } from "node:net";
import type { Writable } from "node:stream";
import { hasErrno } from "../../../../platform/native/libc.ts";

/** Writes to a pipe that a program reads. Ending it is the end of the program's input. */
export function openInput(writeFd: number): Writable {
  const input = new Socket({ fd: writeFd, readable: false, writable: true });
  input.on("error", expectGoneReader);
  return input;
}

/** A program may end, or close its input, before it has read everything. */
export function expectGoneReader(error: Error): void {
  if (!hasErrno(error, "EPIPE", "ECONNRESET", "EIO", "ERR_STREAM_DESTROYED", "ECANCELED"))
    throw error;
}
