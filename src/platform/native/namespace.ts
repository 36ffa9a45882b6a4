import { checkCall, libc } from "./libc.ts";

const CLONE_NEWNET = 0x40000000;

const unshare = libc.func("int unshare(int flags)");
const setns = libc.func("int setns(int fd, int type)");

/** Moves the calling thread into a new network namespace, which dies when nothing refers to it. */
export function enterNewNetworkNamespace(): void {
  checkCall(unshare(CLONE_NEWNET), "unshare the network namespace");
}

/** Moves the calling thread into the network namespace that `fd` refers to. */
export function enterNetworkNamespace(fd: number): void {
  checkCall(setns(fd, CLONE_NEWNET), "enter a network namespace");
}
