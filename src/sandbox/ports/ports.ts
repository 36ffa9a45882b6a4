import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { CattlegridError } from "../../errors/error.ts";
import type { Logger } from "../../platform/logger.ts";
import type { PortPublish, PublishedPort } from "../../protocol/port.ts";
import type { LaunchedSandbox } from "../life/launch.ts";
import { PortConnections } from "./port-connections.ts";

/** SECURITY: the one address that a port is ever published at; nothing off this machine reaches it. */
const HOST_ADDRESS = "127.0.0.1";

/** A port inside that is connected to. */
export interface ReachedPort {
  /** Copies both ways until both ends are closed; both are the engine's from here on. */
  join(client: Socket): void;
  /** Lets go of it, when there is nobody to join. */
  release(): void;
}

/** The published ports of all running sandboxes. */
export interface Ports {
  /** From now on this sandbox can publish ports, which are closed when it ends. */
  follow(sandboxId: string, launched: LaunchedSandbox): void;
  list(sandboxId: string): readonly PublishedPort[];
  /** Listens until the sandbox ends or `close`. Throws SANDBOX_NOT_RUNNING, PORT_TAKEN, PROVIDER_UNSUPPORTED. */
  publish(sandboxId: string, wanted: PortPublish): Promise<PublishedPort>;
  /** Connects to a port of its loopback. Throws SANDBOX_NOT_RUNNING, PORT_CLOSED, SANDBOX_BUSY, PROVIDER_UNSUPPORTED. */
  connect(sandboxId: string, port: number): Promise<ReachedPort>;
  /** Bytes that connections have moved so far. */
  movedBytes(sandboxId: string): number;
  /** With all its connections. False when that port is not published. */
  close(sandboxId: string, hostPort: number): Promise<boolean>;
}

interface Publisher {
  launched: LaunchedSandbox;
  open: Map<number, OpenPort>;
  /** That nothing listens for: each is one client's own. */
  direct: PortConnections;
}

export function createPorts({ logger }: { logger: Logger }): Ports {
  const publishers = new Map<string, Publisher>();
  const find = (sandboxId: string): Publisher => {
    const publisher = publishers.get(sandboxId);
    if (publisher !== undefined) return publisher;
    throw new CattlegridError("SANDBOX_NOT_RUNNING", "Only a sandbox that runs has ports.");
  };
  return {
    follow(sandboxId, launched) {
      const direct = new PortConnections({
        sandboxId,
        launched,
        logger,
        way: "a client of the API",
      });
      const publisher: Publisher = { launched, open: new Map(), direct };
      publishers.set(sandboxId, publisher);
      void launched.running.ended.then(async () => {
        if (publishers.get(sandboxId) === publisher) publishers.delete(sandboxId);
        direct.close();
        await Promise.all([...publisher.open.values()].map((port) => port.close()));
      });
    },
    list(sandboxId) {
      const open = publishers.get(sandboxId)?.open.values() ?? [];
      return [...open].map((port) => port.view()).filter(({ hostPort }) => hostPort !== 0);
    },
    movedBytes(sandboxId) {
      const { open, direct } = publishers.get(sandboxId) ?? {};
      const published = [...(open?.values() ?? [])];
      return published.reduce((sum, port) => sum + port.movedBytes, direct?.movedBytes ?? 0);
    },
    async publish(sandboxId, wanted) {
      const publisher = find(sandboxId);
      const { launched, open } = publisher;
      const port = await OpenPort.open({ sandboxId, launched, wanted, logger });
      open.set(port.hostPort, port);
      if (publishers.get(sandboxId) === publisher) return port.view();
      await port.close();
      throw new CattlegridError("SANDBOX_NOT_RUNNING", "The sandbox ended meanwhile.");
    },
    async connect(sandboxId, port) {
      const { direct } = find(sandboxId);
      direct.admit();
      const upstream = await direct.reach(port);
      return {
        join: (client) => void direct.join(client, upstream, port),
        release: () => void upstream.destroy(),
      };
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

class OpenPort {
  readonly #wanted: PortPublish;
  readonly #connections: PortConnections;
  readonly #server: Server;

  private constructor(parts: OpenPortParts) {
    this.#wanted = parts.wanted;
    const address = (): string => `${HOST_ADDRESS}:${this.hostPort}`;
    this.#connections = new PortConnections({ ...parts, way: "published port", address });
    this.#server = createServer({ allowHalfOpen: true, pauseOnConnect: true });
    this.#server.on("connection", (client) => {
      void this.#connections.serve(client, this.#wanted.port);
    });
  }

  static async open(parts: OpenPortParts): Promise<OpenPort> {
    const opened = new OpenPort(parts);
    opened.#connections.check(parts.wanted.port);
    await opened.#listen();
    return opened;
  }

  get hostPort(): number {
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  get movedBytes(): number {
    return this.#connections.movedBytes;
  }

  view(): PublishedPort {
    const { port } = this.#wanted;
    const { count: connections } = this.#connections;
    return { hostAddress: HOST_ADDRESS, hostPort: this.hostPort, port, connections };
  }

  /** Idempotent. */
  async close(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#connections.close();
    await closed;
  }

  async #listen(): Promise<void> {
    const { hostPort = 0 } = this.#wanted;
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
}
