import type { Socket } from "node:net";
import { Transform } from "node:stream";
import type { HttpProblem } from "./http-head.ts";
import type { HttpScreen } from "./http-screen.ts";

export interface RelayEnds {
  client: Socket;
  upstream: Socket;
}

export type RelayEnding = "ended" | "reset";

/** How long a connection that one side has ended may stay silent; its client may be long gone. */
const HALF_OPEN_IDLE_MS = 10 * 60_000;

/**
 * Copies both ways until both ends are closed. A half-closed end stays half open, the reset of one end
 * resets the other, and a slow reader holds back its writer. Never rejects.
 */
export function relay(ends: RelayEnds, screen?: Transform): Promise<RelayEnding> {
  const { client, upstream } = ends;
  if (screen === undefined) client.pipe(upstream);
  else client.pipe(screen).pipe(upstream);
  upstream.pipe(client);
  const endings = [followEnd(client, upstream), followEnd(upstream, client)];
  return Promise.all(endings).then((each) => (each.includes("reset") ? "reset" : "ended"));
}

/** Lets only those requests through that the screen passes; hands the first problem to `refuse`. */
export function screenRequests(
  screen: HttpScreen,
  refuse: (problem: HttpProblem) => void,
): Transform {
  return new Transform({
    transform(bytes: Buffer, _encoding, done) {
      const passed = screen.push(bytes);
      if (Buffer.isBuffer(passed)) return done(null, passed);
      // Not calling back stops the pipe; whoever refuses ends both sockets.
      refuse(passed);
    },
  });
}

/** SECURITY: a refused connection ends at once and takes unsent bytes with it. Idempotent. */
export function resetSocket(socket: Socket): void {
  if (socket.destroyed) return;
  // libuv refuses to reset a socket whose shutdown is still queued, and would leak it.
  if (socket.connecting || (socket.writableEnded && !socket.writableFinished)) socket.destroy();
  else socket.resetAndDestroy();
}

function followEnd(socket: Socket, other: Socket): Promise<RelayEnding> {
  socket.once("end", () => other.setTimeout(HALF_OPEN_IDLE_MS, () => resetSocket(other)));
  return new Promise((resolve) => {
    const onClose = () => {
      const isWhole = socket.readableEnded && socket.writableFinished && socket.errored === null;
      if (!isWhole) resetSocket(other);
      resolve(isWhole ? "ended" : "reset");
    };
    if (socket.closed) onClose();
    else socket.once("close", onClose);
  });
}
