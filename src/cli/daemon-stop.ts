import { setTimeout as delay } from "node:timers/promises";
import { CattlegridError } from "../errors/error.ts";
import { findDaemon } from "../platform/daemon-start.ts";
import { sendRequest } from "../platform/http-client.ts";
import type { Caller } from "./caller.ts";

const STOP_TIMEOUT_MS = 30_000;
const LOOK_EVERY_MS = 20;

/** Asks the daemon to go and waits until it is gone. False when there was none. Works with any daemon's version. */
export async function stopDaemon(caller: Caller, signal: AbortSignal): Promise<boolean> {
  const socketPath = await findDaemon(caller.paths, caller.uid);
  if (socketPath === undefined) return false;
  const asked = { socketPath, method: "POST", path: "/v1/shutdown", body: {}, signal };
  const { body } = await sendRequest(asked);
  body.resume();
  await waitUntilGone(caller, signal);
  return true;
}

export async function waitUntilGone(caller: Caller, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + STOP_TIMEOUT_MS;
  while ((await findDaemon(caller.paths, caller.uid)) !== undefined) {
    if (performance.now() > deadline) {
      throw new CattlegridError("TIMED_OUT", "The daemon did not end within 30 seconds.", {
        hint: "Look at its log, and end its process if it must be.",
      });
    }
    await delay(LOOK_EVERY_MS, undefined, { signal });
  }
}
