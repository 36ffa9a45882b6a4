import { parentPort } from "node:worker_threads";
import { assert } from "../errors/error.ts";
import { HeadlessScreen } from "./headless-screen.ts";
import type { ScreenAnswer, ScreenRequest } from "./screen-protocol.ts";

/** The thread in which terminals' output is parsed, so that it never holds up the thread that moves the bytes. */
assert(parentPort !== null, "a screen worker is a thread");
const port = parentPort;
interface OpenScreen {
  screen: HeadlessScreen;
  /** One step after the other: a resize comes after the bytes that were written before it. */
  queue: Promise<void>;
}
const screens = new Map<number, OpenScreen>();

port.on("message", (request: ScreenRequest) => {
  if (request.kind === "open") {
    const screen = new HeadlessScreen(request.size);
    screens.set(request.screenId, { screen, queue: Promise.resolve() });
    return;
  }
  const open = screens.get(request.screenId);
  if (open === undefined) return;
  open.queue = open.queue.then(() => carryOut(open.screen, request));
});

async function carryOut(screen: HeadlessScreen, request: ScreenRequest): Promise<void> {
  const { screenId } = request;
  switch (request.kind) {
    case "write":
      await screen.write(request.bytes);
      return answer({ kind: "taken", screenId, bytes: request.bytes.length });
    case "resize":
      return screen.resize(request.size);
    case "snapshot":
      return answer({ kind: "snapshot", screenId, bytes: screen.snapshot(), size: screen.size });
    case "close":
      screens.delete(screenId);
      return screen.dispose();
    case "open":
      return;
  }
}

function answer(message: ScreenAnswer): void {
  port.postMessage(message);
}
