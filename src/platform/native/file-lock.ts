import { checkCall, hasErrno, libc } from "./libc.ts";

const LOCK_SH = 1;
const LOCK_EX = 2;
const LOCK_NB = 4;

const flock = libc.func("int flock(int fd, int operation)");

/** False when somebody else holds the lock. The kernel frees it with the descriptor, however the process ends. */
export function tryLock(fd: number, how: "shared" | "exclusive"): boolean {
  try {
    checkCall(flock(fd, (how === "shared" ? LOCK_SH : LOCK_EX) | LOCK_NB), "lock a file");
    return true;
  } catch (error) {
    if (hasErrno(error, "EAGAIN", "EWOULDBLOCK")) return false;
    throw error;
  }
}
