import { checkCall, libc } from "./libc.ts";

const CLONE_FS = 0x200;
const CLONE_NEWNS = 0x20000;
const CLONE_NEWUTS = 0x4000000;
const CLONE_NEWNET = 0x40000000;

const unshare = libc.func("int unshare(int flags)");
const setns = libc.func("int setns(int fd, int type)");
const sethostname = libc.func("int sethostname(const char *name, size_t length)");

/** Moves the calling thread into a new network namespace, which dies when nothing refers to it. */
export function enterNewNetworkNamespace(): void {
  checkCall(unshare(CLONE_NEWNET), "unshare the network namespace");
}

/** Moves the calling thread into the network namespace that `fd` refers to. */
export function enterNetworkNamespace(fd: number): void {
  checkCall(setns(fd, CLONE_NEWNET), "enter a network namespace");
}

/**
 * Moves the calling thread into the mount namespace of a process (by its handle's descriptor) or of a namespace's
 * own descriptor; its root and working directory become that namespace's. The kernel demands that these two are
 * shared with no other thread, and threads that are started later share them again, so each call parts them first.
 */
export function enterMountNamespace(fd: number): void {
  checkCall(unshare(CLONE_FS), "part the working directory from other threads");
  checkCall(setns(fd, CLONE_NEWNS), "enter a mount namespace");
}

/** Moves the calling thread to the host name of a process (by its handle's descriptor) or of a namespace's descriptor. */
export function enterHostNameNamespace(fd: number): void {
  checkCall(setns(fd, CLONE_NEWUTS), "enter a host name namespace");
}

/** Of the namespace in which the calling thread is. */
export function setHostName(name: string): void {
  checkCall(sethostname(name, Buffer.byteLength(name)), "set the host name");
}
