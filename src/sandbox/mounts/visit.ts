import { constants, openSync } from "node:fs";
import { using } from "../../platform/native/descriptor.ts";
import {
  enterHostNameNamespace,
  enterMountNamespace,
  setHostName,
} from "../../platform/native/namespace.ts";

/**
 * Does something in the mount namespace of a running sandbox, from its root directory.
 * SECURITY: this thread must not stay there: as it could not be told what it would do next, failing to come back ends
 * this process and so every sandbox.
 */
export function visitMounts<T>(processFd: number, homeFd: number, visit: (rootFd: number) => T): T {
  enterMountNamespace(processFd);
  try {
    const rootFd = openSync("/", constants.O_RDONLY | constants.O_DIRECTORY);
    return using(rootFd, visit);
  } finally {
    comeBack(() => enterMountNamespace(homeFd));
  }
}

/** Gives a running sandbox another host name. */
export function renameHost(processFd: number, homeFd: number, name: string): void {
  enterHostNameNamespace(processFd);
  try {
    setHostName(name);
  } finally {
    comeBack(() => enterHostNameNamespace(homeFd));
  }
}

function comeBack(enter: () => void): void {
  try {
    enter();
  } catch (error) {
    process.stderr.write(`the keeper cannot leave a sandbox: ${String(error)}\n`);
    process.exit(1);
  }
}
