import { closeSync, fchmodSync, writeSync } from "node:fs";
import { checkCall, libc } from "./libc.ts";

const O_CLOEXEC = 0o2000000;
const MFD_CLOEXEC = 1;
const POLLIN = 1;
const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_SEQPACKET = 5;

const pipe2 = libc.func("int pipe2(_Out_ int *ends, int flags)");
const memfdCreate = libc.func("int memfd_create(const char *name, uint flags)");
const pollCall = libc.func("int poll(void *entries, unsigned long count, int timeout)");

const socketPair = libc.func("int socketpair(int family, int type, int protocol, _Out_ int *ends)");

/** Closes `fd` once `use` has returned or thrown. */
export function using<T>(fd: number, use: (fd: number) => T): T {
  try {
    return use(fd);
  } finally {
    closeSync(fd);
  }
}

/** Two connected local stream sockets. */
export function openSocketPair(): readonly [number, number] {
  return openPair(SOCK_STREAM);
}

/** Two connected local sockets that keep messages apart. */
export function openMessagePair(): readonly [number, number] {
  return openPair(SOCK_SEQPACKET);
}

function openPair(type: number): readonly [number, number] {
  const ends = [-1, -1];
  checkCall(socketPair(AF_UNIX, type | O_CLOEXEC, 0, ends), "open a pair of sockets");
  const [one = -1, other = -1] = ends;
  return [one, other];
}

export interface PipeEnds {
  readFd: number;
  writeFd: number;
}

/**
 * A pipe as a shell makes it. Node's own "pipe" is a socket, which a program cannot open again by
 * /dev/stdin or /dev/stderr. Another user can open it again too; only who holds it finds it.
 */
export function openPipe(): PipeEnds {
  const ends = [-1, -1];
  checkCall(pipe2(ends, O_CLOEXEC), "open a pipe");
  const [readFd = -1, writeFd = -1] = ends;
  fchmodSync(readFd, 0o666);
  return { readFd, writeFd };
}

/** A file in memory without a name, which is gone with its last descriptor. */
export function openAnonymousFile(content: string): number {
  const fd = checkCall(memfdCreate("", MFD_CLOEXEC), "open a file in memory");
  try {
    const bytes = Buffer.from(content);
    for (let written = 0; written < bytes.length;) written += writeSync(fd, bytes, written);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return fd;
}

/** Whether a read would return something now: bytes, the end, or a hang-up. */
export function isReadable(fd: number): boolean {
  return checkCall(pollCall(pollEntry(fd), 1, 0), "poll a descriptor") > 0;
}

/** Whether bytes wait to be read; false at the end or after a hang-up. */
export function hasBytes(fd: number): boolean {
  const entry = pollEntry(fd);
  checkCall(pollCall(entry, 1, 0), "poll a descriptor");
  return (entry.readUInt16LE(6) & POLLIN) !== 0;
}

/** Waits on a worker thread, so keep the time short; false when it passed. */
export async function waitReadable(fd: number, timeoutMs: number): Promise<boolean> {
  const entry = pollEntry(fd);
  const answered = new Promise<number>((resolve, reject) => {
    pollCall.async(entry, 1, timeoutMs, (error: unknown, ready: number) =>
      error === null || error === undefined ? resolve(ready) : reject(error),
    );
  });
  // The kernel writes into the entry when the wait ends, and nothing but this line keeps it until then.
  return (await answered) > 0 && entry.readUInt16LE(6) !== 0;
}

function pollEntry(fd: number): Buffer {
  const entry = Buffer.alloc(8);
  entry.writeInt32LE(fd, 0);
  entry.writeInt16LE(POLLIN, 4);
  return entry;
}
