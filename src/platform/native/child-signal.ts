import { constants } from "node:os";
import { libc } from "./libc.ts";

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
