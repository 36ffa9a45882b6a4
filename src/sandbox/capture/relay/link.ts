import type { Socket } from "node:net";
import { CattlegridError } from "../../../errors/error.ts";
import {
  loopbackRequests,
  NETFILTER_PROTOCOL,
  readAcknowledgements,
  ROUTE_PROTOCOL,
} from "../../../platform/netlink-message.ts";
import { readSocketAddress, type SocketAddress } from "../../../platform/socket-address.ts";
import type { CaptureSockets } from "../capture-sockets.ts";
import { CAPTURE_PORT } from "../network.ts";
import { ruleRequests } from "../rule-messages.ts";
import { RelayedConnection } from "./connection.ts";
import { RelayFrameReader, writeFrame, type FrameKind, type RelayFrame } from "./frames.ts";
import { RelayedDatagrams, RelayedListener } from "./landing.ts";

/** The channels that the engine names begin here; a relay's begin at 1. */
const OWN_CHANNELS = 2 ** 31;
/** A program that listens and does not accept fills its backlog; then the kernel tries again by itself. */
const CONNECT_MS = 10_000;
const CHANNELS_MAX = 1024;
const NOTHING = Buffer.alloc(0);

interface Channel {
  connection: RelayedConnection;
  destination?: SocketAddress | undefined;
  /** Settles the wait of whoever asked for the connection. */
  connected?: (isOpen: boolean) => void;
}

/**
 * The engine's end of a relay: capture sockets whose kernel sockets are elsewhere, over one stream of bytes.
 *
 * SECURITY: a relay runs beside the sandbox, so what it says is not trusted: of what is no frame, or not its turn, or more
 * than it may send, nothing is believed any more, and all its connections are over.
 */
export class RelayLink {
  readonly sockets: CaptureSockets;
  /** Resolves once with why, when nothing comes through any more. */
  readonly lost: Promise<string>;
  readonly #send: (bytes: Buffer) => void;
  readonly #frames = new RelayFrameReader();
  readonly #listener = new RelayedListener();
  readonly #datagrams: readonly RelayedDatagrams[];
  readonly #channels = new Map<number, Channel>();
  readonly #destinations = new WeakMap<Socket, SocketAddress>();
  readonly #loss = Promise.withResolvers<string>();
  readonly #hello = Promise.withResolvers<Buffer>();
  /** Of the one question that is open. */
  #answer: { kind: FrameKind; take(bytes: Buffer): void } | undefined;
  #isLost = false;
  #lastOwn = OWN_CHANNELS;

  constructor(send: (bytes: Buffer) => void) {
    this.#send = send;
    this.lost = this.#loss.promise;
    this.#datagrams = [0, 1].map(
      (index) => new RelayedDatagrams((bytes) => this.#say("datagram", index, bytes)),
    );
    this.sockets = {
      tcp: this.#listener,
      udp: this.#datagrams,
      originalDestination: (connection) => this.#destinations.get(connection),
    };
  }

  /** What the relay wrote. */
  take(bytes: Buffer): void {
    if (this.#isLost) return;
    for (const frame of this.#frames.take(bytes)) {
      if (frame === undefined || !this.#follow(frame))
        return this.lose("it sent what is no answer");
    }
  }

  /** Ends everything that goes over it. Idempotent. */
  lose(why: string): void {
    if (this.#isLost) return;
    this.#isLost = true;
    for (const { connection, connected } of this.#channels.values()) {
      connected?.(false);
      connection.takeReset();
    }
    this.#loss.resolve(why);
  }

  /** Lays the rules and opens the sockets. Throws EGRESS_UNAVAILABLE; then nothing gets out either. */
  async prepare(): Promise<void> {
    const [versions, ...interfaces] = (await this.#wait(this.#hello.promise)).toString().split(" ");
    if (interfaces.some((name) => name !== "lo")) {
      const message = `The sandbox's network has more than a loopback interface: ${interfaces.join(", ")}.`;
      throw new CattlegridError("EGRESS_UNAVAILABLE", message);
    }
    const hasIpv6 = versions === "6";
    const loopback = loopbackRequests(hasIpv6 ? ["ipv4", "ipv6"] : ["ipv4"]);
    for (const request of loopback) await this.#askKernel(ROUTE_PROTOCOL, [request]);
    await this.#askKernel(NETFILTER_PROTOCOL, ruleRequests(hasIpv6 ? "inet" : "ip", CAPTURE_PORT));
    const problem = await this.#ask("serve", hasIpv6 ? 6 : 4, portBytes(CAPTURE_PORT));
    if (problem.length > 0) throw refused(`it could not open the sockets: ${String(problem)}`);
  }

  /** Throws PORT_CLOSED. */
  async connect(port: number): Promise<Socket> {
    const number = (this.#lastOwn += 1);
    const opened = Promise.withResolvers<boolean>();
    const connection = this.#open(number, { connected: opened.resolve });
    const timer = setTimeout(() => opened.resolve(false), CONNECT_MS);
    this.#say("connect", number, portBytes(port));
    try {
      if (!this.#isLost && (await opened.promise)) return connection;
    } finally {
      clearTimeout(timer);
    }
    connection.destroy();
    const message = `Nothing listens on port ${port} of the sandbox's loopback.`;
    throw new CattlegridError("PORT_CLOSED", message);
  }

  /** Whether it was what a relay may say. */
  #follow({ kind, channel, bytes }: RelayFrame): boolean {
    switch (kind) {
      case "hello":
        this.#hello.resolve(bytes);
        return true;
      case "netlink":
      case "serve":
        return this.#takeAnswer(kind, bytes);
      case "datagram":
        this.#datagrams[channel]?.take(bytes);
        return channel < this.#datagrams.length;
      case "open":
        return this.#land(channel, bytes);
      case "connect":
        return false;
      default:
        return this.#followConnection(kind, this.#channels.get(channel), bytes);
    }
  }

  /** What was on its way when a connection ended here is nobody's. */
  #followConnection(
    kind: "connected" | "data" | "end" | "reset" | "window",
    channel: Channel | undefined,
    bytes: Buffer,
  ): boolean {
    if (channel === undefined) return true;
    const { connection, connected } = channel;
    switch (kind) {
      case "connected":
        connected?.(true);
        return connected !== undefined;
      case "data":
        return connection.takeData(bytes);
      case "end":
        connection.takeEnd();
        return true;
      case "reset":
        connected?.(false);
        connection.takeReset();
        return true;
      case "window":
        if (bytes.length === 4) connection.takeWindow(bytes.readUInt32BE(0));
        return bytes.length === 4;
    }
  }

  #takeAnswer(kind: FrameKind, bytes: Buffer): boolean {
    const answer = this.#answer;
    this.#answer = undefined;
    if (answer?.kind !== kind) return false;
    answer.take(bytes);
    return true;
  }

  #land(number: number, bytes: Buffer): boolean {
    const isNew = number > 0 && number < OWN_CHANNELS && !this.#channels.has(number);
    if (!isNew || this.#channels.size >= CHANNELS_MAX) return false;
    const connection = this.#open(number, {});
    const destination = readSocketAddress(bytes);
    if (destination !== undefined) this.#destinations.set(connection, destination);
    this.#listener.offer(connection);
    return true;
  }

  #open(number: number, parts: Omit<Channel, "connection">): RelayedConnection {
    const connection = new RelayedConnection({
      sendData: (bytes) => this.#say("data", number, bytes),
      sendEnd: () => this.#say("end", number),
      sendWindow: (count) => this.#say("window", number, longBytes(count)),
      forget: (isWhole) => {
        this.#channels.delete(number);
        if (!isWhole) this.#say("reset", number);
      },
    });
    // Whoever has no use for a connection any more need not listen.
    connection.on("error", () => undefined);
    this.#channels.set(number, { connection, ...parts });
    return connection;
  }

  async #askKernel(protocol: number, requests: readonly Buffer[]): Promise<void> {
    const errors = readAcknowledgements(
      await this.#ask("netlink", protocol, Buffer.concat(requests)),
    );
    const failed = errors.find((errno) => errno !== 0);
    if (errors.length === 0) throw refused("its kernel did not answer");
    if (failed !== undefined) throw refused(`its kernel refused the rules, with error ${failed}`);
  }

  #ask(kind: FrameKind, channel: number, bytes: Buffer): Promise<Buffer> {
    const answered = Promise.withResolvers<Buffer>();
    this.#answer = { kind, take: answered.resolve };
    this.#say(kind, channel, bytes);
    return this.#wait(answered.promise);
  }

  async #wait<T>(promise: Promise<T>): Promise<T> {
    const lost = this.lost.then((why): never => {
      throw refused(why);
    });
    return Promise.race([promise, lost]);
  }

  #say(kind: FrameKind, channel: number, bytes: Uint8Array = NOTHING): void {
    if (!this.#isLost) this.#send(writeFrame(kind, channel, bytes));
  }
}

function portBytes(port: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(port);
  return bytes;
}

function longBytes(number: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(number);
  return bytes;
}

function refused(why: string): CattlegridError {
  return new CattlegridError("EGRESS_UNAVAILABLE", `The relay beside the sandbox failed: ${why}.`);
}
