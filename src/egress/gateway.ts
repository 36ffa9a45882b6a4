import type { Socket } from "node:net";
import { asCattlegridError } from "../errors/error.ts";
import { readOriginalDestination } from "../platform/native/original-destination.ts";
import type { EgressRecord } from "../protocol/egress.ts";
import type { CaptureSockets } from "../sandbox/capture/capture-sockets.ts";
import { GatewayConnection, type ConnectionContext } from "./connection.ts";
import type { Inspection } from "./inspection/inspect.ts";
import { serveDns, type LookupOutcome } from "./dns/dns.ts";
import { NO_MIRRORS, type Mirrors } from "./mirrors.ts";
import { createNameResolver, type ResolveName } from "./dns/name-resolver.ts";
import { NewNames } from "./dns/new-names.ts";
import type { EgressPolicy } from "./policy/policy.ts";
import { HALF_OPEN_IDLE_MS, resetSocket } from "./relay.ts";
import { SyntheticAddresses } from "./dns/synthetic-addresses.ts";
import type { OriginalDestination } from "./target.ts";
import type { Upstream } from "./upstream/tunnel.ts";

export interface GatewayOptions {
  sandboxId: string;
  /** The name by which a person calls it, for what refused programs are told. */
  sandboxName: string;
  /** The gateway owns them from here on: `close` closes them. */
  sockets: CaptureSockets;
  policy: EgressPolicy;
  /** Lets denied names have addresses, so that the record tells what is wanted of them. Lets nothing more out. */
  isLearning?: boolean | undefined;
  /** Default: none. */
  mirrors?: Mirrors | undefined;
  /** PEM certificates that vouch for the mirrors. Default: none. */
  mirrorCertificates?: readonly string[] | undefined;
  /** The operator's proxy. Default: everything is dialled directly. */
  upstream?: Upstream | undefined;
  /** Default: connections that must be inspected are refused. */
  inspection?: Inspection | undefined;
  /** How long what one side has ended may stay silent. Default: ten minutes. */
  halfOpenIdleMs?: number | undefined;
  /** Called for every decision; must not throw and must not wait. */
  record(record: EgressRecord): void;
  /** Closes the gateway when aborted. */
  signal?: AbortSignal | undefined;
  /** Default: the host's resolver. One may serve several gateways. */
  resolveName?: ResolveName | undefined;
  /** Default: what the sockets, or this machine's kernel, say of a redirected connection. */
  originalDestination?: ((socket: Socket) => OriginalDestination | undefined) | undefined;
}

export interface Gateway {
  readonly policy: EgressPolicy;
  /** Bytes that came from outside so far, over all connections. */
  readonly receivedBytes: number;
  /** Open now, of at most `CONNECTIONS_MAX`. */
  readonly connectionCount: number;
  /** Holds from now on; open connections that it does not allow are reset before this returns. */
  setPolicy(policy: EgressPolicy): void;
  /** Resets every connection and closes the capture sockets. Idempotent. */
  close(): Promise<void>;
}

/** Connections of one sandbox at a time, those that are still being judged included. */
export const CONNECTIONS_MAX = 512;

/** Starts to answer everything that arrives at a sandbox's capture sockets. */
export function openGateway(options: GatewayOptions): Gateway {
  const gateway = new OpenGateway(options);
  gateway.start();
  return gateway;
}

class OpenGateway implements Gateway {
  readonly #options: GatewayOptions;
  readonly #connections = new Map<GatewayConnection, Promise<void>>();
  readonly #context: ConnectionContext;
  #policy: EgressPolicy;
  #receivedBefore = 0;
  #closing: Promise<void> | undefined;

  constructor(options: GatewayOptions) {
    this.#options = options;
    this.#policy = options.policy;
    this.#context = {
      sandboxName: options.sandboxName,
      policy: () => this.#policy,
      mirrors: options.mirrors ?? NO_MIRRORS,
      mirrorCertificates: options.mirrorCertificates ?? [],
      inspection: options.inspection,
      halfOpenIdleMs: options.halfOpenIdleMs ?? HALF_OPEN_IDLE_MS,
      upstream: options.upstream,
      names: new SyntheticAddresses((name) => {
        return [...this.#connections.keys()].some((connection) => connection.name === name);
      }),
      resolveName: options.resolveName ?? createNameResolver(),
      originalDestination:
        options.originalDestination ??
        options.sockets.originalDestination ??
        readOriginalDestination,
      record: (fields) => this.#record(fields),
    };
  }

  get policy(): EgressPolicy {
    return this.#policy;
  }

  get receivedBytes(): number {
    const open = [...this.#connections.keys()];
    return open.reduce((sum, { receivedBytes }) => sum + receivedBytes, this.#receivedBefore);
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  start(): void {
    const { sockets, signal } = this.#options;
    sockets.tcp.on("connection", this.#accept);
    sockets.tcp.on("error", this.#onSocketError);
    const newNames = new NewNames();
    for (const socket of sockets.udp) {
      const answering = () => ({
        policy: this.#policy,
        names: this.#context.names,
        newNames,
        sandboxName: this.#options.sandboxName,
        isLearning: this.#options.isLearning === true,
      });
      serveDns(socket, answering, (outcome) => this.#recordLookup(outcome));
      socket.on("error", this.#onSocketError);
    }
    signal?.addEventListener("abort", this.#onAbort, { once: true });
    if (signal?.aborted === true) this.#onAbort();
  }

  setPolicy(policy: EgressPolicy): void {
    this.#policy = policy;
    for (const connection of this.#connections.keys()) connection.reconsider();
  }

  close(): Promise<void> {
    this.#closing ??= this.#closeOnce();
    return this.#closing;
  }

  async #closeOnce(): Promise<void> {
    const { sockets, signal } = this.#options;
    signal?.removeEventListener("abort", this.#onAbort);
    const closed = [
      new Promise<void>((resolve) => {
        if (sockets.tcp.listening) sockets.tcp.close(() => resolve());
        else resolve();
      }),
      ...sockets.udp.map(
        (socket) => new Promise<void>((resolve) => closeDatagram(socket, resolve)),
      ),
    ];
    for (const connection of this.#connections.keys()) connection.reset();
    await Promise.all([...closed, ...this.#connections.values()]);
  }

  readonly #accept = (client: Socket): void => {
    if (this.#closing !== undefined) return resetSocket(client);
    if (this.#connections.size >= CONNECTIONS_MAX) return this.#turnAway(client);
    const connection = new GatewayConnection(client, this.#context);
    // A fault in one connection is that connection's end and nobody else's.
    const running = connection.run().catch((error: unknown) => {
      const reason = `the gateway failed: ${asCattlegridError(error).message}`;
      this.#record({ kind: "connect", action: "error", reasonCode: "unreachable", reason });
      connection.reset();
    });
    this.#connections.set(connection, running);
    void running.finally(() => {
      this.#receivedBefore += connection.receivedBytes;
      this.#connections.delete(connection);
    });
  };

  #turnAway(client: Socket): void {
    client.on("error", () => undefined);
    const reason = `the sandbox has ${CONNECTIONS_MAX} connections open, which is the limit`;
    this.#record({ kind: "connect", action: "deny", reasonCode: "too-many-connections", reason });
    resetSocket(client);
  }

  readonly #onSocketError = (error: Error): void => {
    const reason = `the gateway cannot accept: ${error.message}`;
    this.#record({ kind: "connect", action: "error", reasonCode: "unreachable", reason });
  };

  readonly #onAbort = (): void => {
    void this.close();
  };

  #recordLookup(outcome: LookupOutcome): void {
    const { code, rule, ...told } = outcome;
    const shown = rule === undefined ? {} : { rule: { id: rule.id, text: rule.text } };
    this.#record({ kind: "dns", ...told, reasonCode: code, ...shown });
  }

  #record(fields: Omit<EgressRecord, "time" | "sandboxId">): void {
    const time = new Date().toISOString();
    this.#options.record({ time, sandboxId: this.#options.sandboxId, ...fields });
  }
}

function closeDatagram(socket: CaptureSockets["udp"][number], closed: () => void): void {
  socket.once("close", closed);
  try {
    socket.close();
  } catch (error) {
    // Its other owner was faster.
    if ((error as NodeJS.ErrnoException).code !== "ERR_SOCKET_DGRAM_NOT_RUNNING") throw error;
    closed();
  }
}
