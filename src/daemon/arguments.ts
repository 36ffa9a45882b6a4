import { CattlegridError } from "../errors/error.ts";
import { DETACHED_FLAG } from "../platform/daemon-start.ts";

const IDLE_MS = 60_000;

export interface DaemonArguments {
  /** Started by `ensureDaemon`: reports on its descriptor, and goes when idle. */
  isDetached: boolean;
  /** How long it stays with nothing to do. */
  idleMs: number;
}

/** `--foreground` stays until it is told to end, unless `--idle-ms N` or CATTLEGRID_IDLE_MS says otherwise. */
export function readArguments(
  words: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): DaemonArguments {
  const isDetached = words.includes(DETACHED_FLAG);
  const flag = words.indexOf("--idle-ms");
  const text = flag === -1 ? environment["CATTLEGRID_IDLE_MS"] : words[flag + 1];
  if (text === undefined || text === "")
    return { isDetached, idleMs: isDetached ? IDLE_MS : Infinity };
  const idleMs = Number(text);
  if (Number.isSafeInteger(idleMs) && idleMs > 0) return { isDetached, idleMs };
  throw new CattlegridError("USAGE", `${text} is not a number of milliseconds.`);
}
