import { constants } from "node:os";
import { checkCall, libc } from "./libc.ts";

const IGNORE = 1;

const signal = libc.func("intptr_t signal(int number, intptr_t disposition)");

/**
 * Makes the kernel reap this process's children by itself. An init needs it for the orphans it is given;
 * Node resets dispositions when it starts, so one that was inherited does not last. It does not go
 * together with starting processes from this one.
 */
export function ignoreChildEndings(): void {
  signal(constants.signals.SIGCHLD, IGNORE);
}

const SET_CHILD_SUBREAPER = 36;

const prctl = libc.func("int prctl(int option, ulong two, ulong three, ulong four, ulong five)");

/** From now on processes below this one whose parent ends become its children, in its own process namespace. */
export function adoptOrphans(): void {
  checkCall(prctl(SET_CHILD_SUBREAPER, 1, 0, 0, 0), "adopt orphaned processes");
}
