import { constants } from "node:os";
import { closeSync } from "node:fs";
import { checkCall, hasErrno, systemCall } from "./libc.ts";

const pidfdSendSignal = systemCall<[number, number, null, number]>(424, [
  "int",
  "int",
  "void*",
  "uint",
]);
const pidfdOpen = systemCall<[number, number]>(434, ["int", "uint"]);

/** One process, even after its number has been given to another one. */
export interface ProcessHandle {
  readonly fd: number;
  kill(): void;
  signal(name: NodeJS.Signals): void;
  isGone(): boolean;
  close(): void;
}

/** Returns undefined when no process has this number any more. */
export function openProcessHandle(pid: number): ProcessHandle | undefined {
  const fd = unlessGone(() => checkCall(pidfdOpen(pid, 0), `open process ${pid}`));
  if (fd === undefined) return undefined;
  const send = (signal: number): boolean =>
    unlessGone(() => checkCall(pidfdSendSignal(fd, signal, null, 0), "signal a process")) !==
    undefined;
  return {
    fd,
    kill: () => void send(constants.signals.SIGKILL),
    signal: (name) => void send(constants.signals[name]),
    isGone: () => !send(0),
    close: () => closeSync(fd),
  };
}

function unlessGone<T>(call: () => T): T | undefined {
  try {
    return call();
  } catch (error) {
    if (hasErrno(error, "ESRCH")) return undefined;
    throw error;
  }
}
