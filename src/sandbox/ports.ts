import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { passBytes, resetSocket } from "../egress/relay.ts";
import { CattlegridError } from "../errors/error.ts";
import type { Logger } from "../platform/logger.ts";
import type { EgressRecord } from "../protocol/egress.ts";
import type { PortPublish, PublishedPort } from "../protocol/port.ts";
import type { LaunchedSandbox } from "./launch.ts";

/** SECURITY: the one address that a port is ever published at; nothing off this machine reaches it. */
const HOST_ADDRESS = "127.0.0.1";
/** More at once are refused: each holds two descriptors of the daemon. */
const CONNECTIONS_MAX = 512;
/** Inside, this port is the gateway's own. */
const GATEWAY_PORT = 53;

/** The published ports of all running sandboxes. */
export interface Ports {
  /** From now on this sandbox can publish ports, which are closed when it ends. */
  follow(sandboxId: string, launched: LaunchedSandbox): void;
  list(sandboxId: string): readonly PublishedPort[];
  /** Listens until the sandbox ends or `close`. Throws SANDBOX_NOT_RUNNING, PORT_TAKEN, PROVIDER_UNSUPPORTED. */
  publish(sandboxId: string, wanted: PortPublish): Promise<PublishedPort>;
  /** Bytes that connections have moved so far. */
  movedBytes(sandboxId: string): number;
  /** With all its connections. False when that port is not published. */
  close(sandboxId: string, hostPort: number): Promise<boolean>;
}

interface Publisher {
  launched: LaunchedSandbox;
  open: Map<number, OpenPort>;
}

export function createPorts({ logger }: { logger: Logger }): Ports {
  const publishers = new Map<string, Publisher>();
  return {
    follow(sandboxId, launched) {
      const publisher: Publisher = { launched, open: new Map() };
      publishers.set(sandboxId, publisher);
      void launched.running.ended.then(async () => {
        if (publishers.get(sandboxId) === publisher) publishers.delete(sandboxId);
        await Promise.all([...publisher.open.values()].map((port) => port.close()));
      });
    },
    list(sandboxId) {
      const open = publishers.get(sandboxId)?.open.values() ?? [];
      return [...open].map((port) => port.view()).filter(({ hostPort }) => hostPort !== 0);
    },
    movedBytes(sandboxId) {
      const open = publishers.get(sandboxId)?.open.values() ?? [];
      return [...open].reduce((sum, port) => sum + port.movedBytes, 0);
    },
    async publish(sandboxId, wanted) {
      const publisher = publishers.get(sandboxId);
      if (publisher === undefined) {
        throw new CattlegridError("SANDBOX_NOT_RUNNING", "A sandbox that runs publishes ports.");
      }
      const { launched, open } = publisher;
      const port = await OpenPort.open({ sandboxId, launched, wanted, logger });
      open.set(port.hostPort, port);
      if (publishers.get(sandboxId) === publisher) return port.view();
      await port.close();
      throw new CattlegridError("SANDBOX_NOT_RUNNING", "The sandbox ended meanwhile.");
    },
    async close(sandboxId, hostPort) {
      const open = publishers.get(sandboxId)?.open;
      const port = open?.get(hostPort);
      open?.delete(hostPort);
      await port?.close();
      return port !== undefined;
    },
  };
}

interface OpenPortParts {
  sandboxId: string;
  launched: LaunchedSandbox;
  wanted: PortPublish;
  logger: Logger;
}

type Connect = (port: number) => Promise<Socket>;

class OpenPort {
  readonly #parts: OpenPortParts;
  readonly #connect: Connect;
  readonly #server: Server;
  readonly #clients = new Set<Socket>();
  #movedBefore = 0;

  private constructor(parts: OpenPortParts, connect: Connect) {
    this.#parts = parts;
    this.#connect = connect;
    this.#server = createServer({ allowHalfOpen: true, pauseOnConnect: true });
    this.#server.on("connection", (client) => void this.#serve(client));
  }

  static async open(parts: OpenPortParts): Promise<OpenPort> {
    const { running } = parts.launched;
    const { port } = parts.wanted;
    if (running.connect === undefined) {
      const message = "The provider of this sandbox cannot reach ports inside.";
      throw new CattlegridError("PROVIDER_UNSUPPORTED", message, {
        hint: "Make the sandbox with a provider that states `ports`, such as the default one.",
      });
    }
    if (port === GATEWAY_PORT) {
      const message = `Port ${GATEWAY_PORT} inside is the gateway's own and cannot be published.`;
      throw new CattlegridError("REQUEST_INVALID", message);
    }
    const opened = new OpenPort(parts, running.connect.bind(running));
    await opened.#listen();
    return opened;
  }

  get hostPort(): number {
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  get movedBytes(): number {
    return [...this.#clients].reduce((sum, client) => sum + measure(client), this.#movedBefore);
  }

  view(): PublishedPort {
    const { port } = this.#parts.wanted;
    const connections = this.#clients.size;
    return { hostAddress: HOST_ADDRESS, hostPort: this.hostPort, port, connections };
  }

  /** Idempotent. */
  async close(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const client of this.#clients) resetSocket(client);
    await closed;
  }

  async #listen(): Promise<void> {
    const { hostPort = 0 } = this.#parts.wanted;
    try {
      this.#server.listen({ host: HOST_ADDRESS, port: hostPort, exclusive: true });
      await once(this.#server, "listening");
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== "EADDRINUSE" && code !== "EACCES") throw error;
      const why = code === "EACCES" ? "may not be opened by you" : "is in use";
      const message = `Port ${hostPort} of this machine ${why}.`;
      throw new CattlegridError("PORT_TAKEN", message, { cause: error });
    }
  }

  async #serve(client: Socket): Promise<void> {
    const begun = performance.now();
    // It is paused and nobody watches it yet: whoever connects may be gone before the other side is there.
    client.on("error", () => resetSocket(client));
    if (this.#clients.size >= CONNECTIONS_MAX) return resetSocket(client);
    this.#clients.add(client);
    client.once("close", () => {
      this.#clients.delete(client);
      this.#movedBefore += measure(client);
    });
    const ending = await this.#relay(client);
    const durationMs = Math.round(performance.now() - begun);
    const { bytesRead: bytesIn, bytesWritten: bytesOut } = client;
    this.#record({ ...ending, bytesIn, bytesOut, durationMs });
  }

  async #relay(client: Socket): Promise<Pick<EgressRecord, "action" | "reasonCode" | "reason">> {
    const { port } = this.#parts.wanted;
    try {
      const upstream = await this.#connect(port);
      upstream.on("error", () => resetSocket(upstream));
      if (client.destroyed) resetSocket(upstream);
      const ending = await passBytes({ client, upstream }).ended;
      return { action: "allow", reasonCode: "closed", reason: `by published port, ${ending}` };
    } catch (error) {
      resetSocket(client);
      const { code, message } = error as { code?: unknown; message: string };
      if (code !== "PORT_CLOSED") {
        const { logger, sandboxId } = this.#parts;
        logger.warn("a published port was not reached", { sandboxId, port, error });
      }
      return { action: "error", reasonCode: "unreachable", reason: message };
    }
  }

  #record(
    ending: Partial<EgressRecord> & Pick<EgressRecord, "action" | "reasonCode" | "reason">,
  ): void {
    const { sandboxId, launched, wanted } = this.#parts;
    const time = new Date().toISOString();
    const address = `${HOST_ADDRESS}:${this.hostPort}`;
    launched.gate.record({ time, sandboxId, kind: "port", address, port: wanted.port, ...ending });
  }
}

function measure({ bytesRead, bytesWritten }: Socket): number {
  return bytesRead + bytesWritten;
}
