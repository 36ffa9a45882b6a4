import type { Socket } from "node:net";
import { CattlegridError } from "../../../errors/error.ts";
import { readSocketAddress, type SocketAddress } from "../../../platform/socket-address.ts";
import type { CaptureSockets } from "../capture-sockets.ts";
import { closedPort } from "../connection.ts";
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
  #isKnown = false;
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

  /** Resolves once the rules are laid and the sockets open. Throws EGRESS_UNAVAILABLE; then nothing gets out either. */
  async prepare(): Promise<void> {
    const lost = this.lost.then((why): never => {
      throw refused(why);
    });
    const problem = String(await Promise.race([this.#hello.promise, lost])).trim();
    if (problem !== "") throw refused(problem);
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
    throw closedPort(port);
  }

  /** Whether it was what a relay may say. */
  #follow({ kind, channel, bytes }: RelayFrame): boolean {
    switch (kind) {
      case "hello":
        return this.#meet(bytes);
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

  #meet(problem: Buffer): boolean {
    const isFirst = !this.#isKnown;
    this.#isKnown = true;
    this.#hello.resolve(problem);
    return isFirst;
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
