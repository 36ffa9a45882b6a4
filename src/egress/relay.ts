import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import type { Passage, RelayEnding } from "./passage.ts";

export interface RelayEnds {
  client: Socket;
  upstream: Socket;
}

/** How long a connection that one side has ended may stay silent; its client may be long gone. */
const HALF_OPEN_IDLE_MS = 10 * 60_000;

/**
 * Copies both ways until both ends are closed. A half-closed end stays half open, the reset of one end
 * resets the other, and a slow reader holds back its writer.
 */
export function passBytes(ends: RelayEnds): Passage {
  ends.client.pipe(ends.upstream);
  ends.upstream.pipe(ends.client);
  return { ended: followEnds(ends), reconsider: () => undefined };
}

/** Resolves when both ends are closed. Never rejects. */
export function followEnds({ client, upstream }: RelayEnds): Promise<RelayEnding> {
  const endings = [followEnd(client, upstream), followEnd(upstream, client)];
  return Promise.all(endings).then((each) => (each.includes("reset") ? "reset" : "ended"));
}

/** SECURITY: a refused connection ends at once and takes unsent bytes with it. Idempotent. */
export function resetSocket(socket: Socket): void {
  if (socket.destroyed) return;
  // The connection below it is reset by whoever owns that.
  if (socket instanceof TLSSocket) return void socket.destroy();
  // libuv refuses to reset a socket whose shutdown is still queued, and would leak it.
  if (socket.connecting || (socket.writableEnded && !socket.writableFinished)) socket.destroy();
  else socket.resetAndDestroy();
}

/** Resolves when `socket` is closed; unless that was in good order, `other` is reset. */
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
