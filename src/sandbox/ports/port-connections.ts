import type { Socket } from "node:net";
import { HALF_OPEN_IDLE_MS, passBytes, resetSocket } from "../../egress/relay.ts";
import { assert, CattlegridError } from "../../errors/error.ts";
import type { Logger } from "../../platform/logger.ts";
import type { EgressRecord } from "../../protocol/egress.ts";
import type { LaunchedSandbox } from "../life/launch.ts";

/** More at once are refused: each holds two descriptors of the daemon. */
const CONNECTIONS_MAX = 512;
/** Inside, this port is the gateway's own. */
const GATEWAY_PORT = 53;

export interface PortConnectionsParts {
  sandboxId: string;
  launched: LaunchedSandbox;
  logger: Logger;
  /** How they come in, as their records tell it. */
  way: string;
  /** Where they come in, when that is an address. */
  address?: () => string;
}

/** The connections to a sandbox's own loopback that come in one way; each of them is recorded. */
export class PortConnections {
  readonly #parts: PortConnectionsParts;
  readonly #clients = new Set<Socket>();
  #movedBefore = 0;

  constructor(parts: PortConnectionsParts) {
    this.#parts = parts;
  }

  get count(): number {
    return this.#clients.size;
  }

  get movedBytes(): number {
    return [...this.#clients].reduce((sum, client) => sum + measure(client), this.#movedBefore);
  }

  /** Throws PROVIDER_UNSUPPORTED, or REQUEST_INVALID for a port that is not the sandbox's. */
  check(port: number): void {
    if (this.#parts.launched.running.connect === undefined) {
      const message = "The provider of this sandbox cannot reach ports inside.";
      throw new CattlegridError("PROVIDER_UNSUPPORTED", message, {
        hint: "Make the sandbox with a provider that states `ports`, such as the default one.",
      });
    }
    if (port !== GATEWAY_PORT) return;
    const message = `Port ${GATEWAY_PORT} inside is the gateway's own and cannot be reached.`;
    throw new CattlegridError("REQUEST_INVALID", message);
  }

  /** Throws SANDBOX_BUSY. */
  admit(): void {
    if (!this.isFull) return;
    const message = `${CONNECTIONS_MAX} connections to ports of this sandbox are open.`;
    throw new CattlegridError("SANDBOX_BUSY", message);
  }

  /** Connects, for `join`. What keeps it from that, PORT_CLOSED for one, is recorded and thrown. */
  async reach(port: number): Promise<Socket> {
    const begun = performance.now();
    try {
      this.check(port);
      const { running } = this.#parts.launched;
      const upstream = await running.connect?.(port);
      assert(upstream !== undefined, "a port was reached without a connection");
      upstream.on("error", () => resetSocket(upstream));
      return upstream;
    } catch (error) {
      const { code, message } = error as { code?: unknown; message: string };
      const { logger, sandboxId } = this.#parts;
      if (code !== "PORT_CLOSED") logger.warn("a port was not reached", { sandboxId, port, error });
      this.#record(port, {
        action: "error",
        reasonCode: "unreachable",
        reason: message,
        bytesIn: 0,
        bytesOut: 0,
        durationMs: Math.round(performance.now() - begun),
      });
      throw error;
    }
  }

  /** Copies both ways until both ends are closed. */
  async join(client: Socket, upstream: Socket, port: number): Promise<void> {
    const begun = performance.now();
    this.#add(client);
    const { bytesRead, bytesWritten } = client;
    if (client.destroyed) resetSocket(upstream);
    const ending = await passBytes({ client, upstream, halfOpenIdleMs: HALF_OPEN_IDLE_MS }).ended;
    this.#record(port, {
      action: "allow",
      reasonCode: "closed",
      reason: `by ${this.#parts.way}, ${ending}`,
      bytesIn: client.bytesRead - bytesRead,
      bytesOut: client.bytesWritten - bytesWritten,
      durationMs: Math.round(performance.now() - begun),
    });
  }

  /** Connects a client that nothing was told yet; it is reset when that cannot be. */
  async serve(client: Socket, port: number): Promise<void> {
    // It is paused and nobody watches it yet: whoever connects may be gone before the other side is there.
    client.on("error", () => resetSocket(client));
    if (this.isFull) return resetSocket(client);
    this.#add(client);
    try {
      await this.join(client, await this.reach(port), port);
    } catch {
      // Why is in the record already.
      resetSocket(client);
    }
  }

  /** Idempotent. */
  close(): void {
    for (const client of this.#clients) resetSocket(client);
  }

  get isFull(): boolean {
    return this.#clients.size >= CONNECTIONS_MAX;
  }

  #add(client: Socket): void {
    if (this.#clients.has(client)) return;
    this.#clients.add(client);
    client.once("close", () => {
      this.#clients.delete(client);
      this.#movedBefore += measure(client);
    });
  }

  #record(port: number, told: Omit<EgressRecord, "time" | "sandboxId" | "kind">): void {
    const { sandboxId, launched, address } = this.#parts;
    const time = new Date().toISOString();
    const where = address === undefined ? {} : { address: address() };
    launched.gate.record({ time, sandboxId, kind: "port", ...where, port, ...told });
  }
}

function measure({ bytesRead, bytesWritten }: Socket): number {
  return bytesRead + bytesWritten;
}
