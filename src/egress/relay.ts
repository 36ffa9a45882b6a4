import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import type { Passage, RelayEnding } from "./passage.ts";

/**
 * How long a connection that one side has ended may move no byte: that side may be long gone, and an open
 * connection counts. Long enough for a server that computes its answer, or that a client waits for.
 */
export const HALF_OPEN_IDLE_MS = 10 * 60_000;

export interface RelayEnds {
  client: Socket;
  upstream: Socket;
}

export interface RelayOptions extends RelayEnds {
  /** Resets what one side has ended and the other leaves silent for so long. */
  halfOpenIdleMs: number;
}

/**
 * Copies both ways until both ends are closed. A half-closed end stays half open while bytes flow, the reset of
 * one end resets the other, and a slow reader holds back its writer.
 */
export function passBytes(options: RelayOptions): Passage {
  options.client.pipe(options.upstream);
  options.upstream.pipe(options.client);
  return { ended: followHalves(options), reconsider: () => undefined };
}

/** As `followEnds`, with a deadline for a silent half. */
export function followHalves({
  client,
  upstream,
  halfOpenIdleMs,
}: RelayOptions): Promise<RelayEnding> {
  let isSilent = false;
  const cut = (): void => {
    isSilent = true;
    resetSocket(client);
    resetSocket(upstream);
  };
  const watch = (reader: Socket, writer: Socket): void =>
    watchSilence({ reader, writer, idleMs: halfOpenIdleMs, cut });
  client.once("end", () => watch(client, upstream));
  upstream.once("end", () => watch(upstream, client));
  return followEnds({ client, upstream }).then((ending) => (isSilent ? "silent" : ending));
}

/** Resolves when both ends are closed. Never rejects. */
export function followEnds({ client, upstream }: RelayEnds): Promise<RelayEnding> {
  const endings = [followEnd(client, upstream), followEnd(upstream, client)];
  return Promise.all(endings).then((each) => (each.includes("reset") ? "reset" : "ended"));
}

interface OpenHalf {
  /** Has said all, and may still be listening. */
  reader: Socket;
  writer: Socket;
  idleMs: number;
  cut(): void;
}

/** Cuts when no byte has come from the writer, or none been taken by the reader that it waits for. */
function watchSilence({ reader, writer, idleMs, cut }: OpenHalf): void {
  writer.setTimeout(idleMs).on("timeout", () => {
    if (reader.writableLength === 0) cut();
    else writer.setTimeout(idleMs);
  });
  reader.setTimeout(idleMs).on("timeout", () => {
    if (reader.writableLength > 0) cut();
  });
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
