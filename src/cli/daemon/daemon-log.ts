import { open, type FileHandle } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";

const LOOK_EVERY_MS = 200;
const CHUNK_BYTES = 64 * 1024;

export interface LogReading {
  /** Goes on until `signal` aborts, across rotations; its reason is then thrown. */
  follow: boolean;
  signal: AbortSignal;
}

/** The daemon's log, the rotated part first. The file is read as it is, so a daemon that does not answer can be asked why. */
export async function* readLog(path: string, reading: LogReading): AsyncGenerator<Buffer> {
  yield* readFrom(await openIfPresent(`${path}.1`));
  let file = await openIfPresent(path);
  try {
    for (;;) {
      yield* readRest(file);
      if (!reading.follow) return;
      await delay(LOOK_EVERY_MS, undefined, { signal: reading.signal });
      const current = await openIfPresent(path);
      if (await isSame(file, current)) {
        await current?.close();
        continue;
      }
      // What was written into the old one until it was renamed.
      yield* readRest(file);
      await file?.close();
      file = current;
    }
  } finally {
    await file?.close();
  }
}

async function* readFrom(file: FileHandle | undefined): AsyncGenerator<Buffer> {
  try {
    yield* readRest(file);
  } finally {
    await file?.close();
  }
}

/** From where the last read ended. */
async function* readRest(file: FileHandle | undefined): AsyncGenerator<Buffer> {
  for (;;) {
    const read = await file?.read(Buffer.alloc(CHUNK_BYTES));
    if (read === undefined || read.bytesRead === 0) return;
    yield read.buffer.subarray(0, read.bytesRead);
  }
}

async function openIfPresent(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

async function isSame(
  one: FileHandle | undefined,
  other: FileHandle | undefined,
): Promise<boolean> {
  const [a, b] = await Promise.all([one?.stat(), other?.stat()]);
  return a?.ino === b?.ino && a?.dev === b?.dev;
}
