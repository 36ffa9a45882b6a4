import { setTimeout as delay } from "node:timers/promises";
import { CattlegridError } from "../../errors/error.ts";
import { findDaemon, readDaemonPid } from "../../platform/daemon-file.ts";
import { sendRequest } from "../../platform/http-client.ts";
import type { Caller } from "../caller.ts";

const STOP_TIMEOUT_MS = 30_000;
const LOOK_EVERY_MS = 20;

/** Asks the daemon to go and waits until it is gone. False when there was none. Works with any daemon's version. */
export async function stopDaemon(caller: Caller, signal: AbortSignal): Promise<boolean> {
  const socketPath = await findDaemon(caller.paths, caller.uid);
  if (socketPath === undefined) return false;
  const gone = watchDaemon(caller);
  const asked = { socketPath, method: "POST", path: "/v1/shutdown", body: {}, signal };
  const { body } = await sendRequest(asked);
  body.resume();
  await gone(signal);
  return true;
}

/** To be called while the daemon is there. The result waits until its socket and its process are gone. */
export function watchDaemon({ paths, uid }: Caller): (signal: AbortSignal) => Promise<void> {
  const pid = readDaemonPid(paths);
  return async (signal) => {
    const deadline = performance.now() + STOP_TIMEOUT_MS;
    while ((await findDaemon(paths, uid)) !== undefined || isThere(pid)) {
      if (performance.now() > deadline) {
        throw new CattlegridError("TIMED_OUT", "The daemon did not end within 30 seconds.", {
          hint: "Look at its log, and end its process if it must be.",
        });
      }
      await delay(LOOK_EVERY_MS, undefined, { signal });
    }
  };
}

function isThere(pid: number | undefined): boolean {
  if (pid === undefined) return false;
  try {
    return process.kill(pid, 0);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // EPERM: somebody else's process has the number by now.
    if (code === "ESRCH" || code === "EPERM") return false;
    throw error;
  }
}
