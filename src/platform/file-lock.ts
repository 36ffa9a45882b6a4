import { type FileHandle, open, stat, unlink } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { tryLock } from "./native/file-lock.ts";

const RETRY_MS_MIN = 4;
const RETRY_MS_MAX = 100;

export interface FileLock extends AsyncDisposable {
  /** Takes the lock's file away with the lock, when nothing is left that it could guard. */
  removeFile(): Promise<void>;
}

export interface LockOptions {
  /** Several may hold a shared one. */
  how: "shared" | "exclusive";
  /** Gives the waiting up; its reason is then thrown. */
  signal: AbortSignal;
}

/**
 * Waits for the lock on a file, which is made when it is absent. It holds between processes and within one, and ends with
 * the process that has it, however that comes. Not re-entrant.
 */
export async function lockFile(path: string, { how, signal }: LockOptions): Promise<FileLock> {
  let pauseMs = RETRY_MS_MIN;
  for (;;) {
    signal.throwIfAborted();
    const file = await open(path, "a", 0o600);
    if (tryLock(file.fd, how) && (await isStillAt(path, file))) {
      return {
        removeFile: () => unlink(path),
        [Symbol.asyncDispose]: () => file.close(),
      };
    }
    await file.close();
    await delay(pauseMs, undefined, { signal }).catch(() => signal.throwIfAborted());
    pauseMs = Math.min(pauseMs * 2, RETRY_MS_MAX);
  }
}

/** Who had the lock before may have removed the file: then another can lie there, and be locked too. */
async function isStillAt(path: string, file: FileHandle): Promise<boolean> {
  const own = await file.stat({ bigint: true });
  try {
    const found = await stat(path, { bigint: true });
    return found.ino === own.ino && found.dev === own.dev;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
}
