import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import { readSocketAddress, writeSocketAddress } from "../../../platform/socket-address.ts";
import type { CaptureDatagrams, CaptureListener } from "../capture-sockets.ts";

/** The listener of a sandbox whose kernel socket is a relay's. */
export class RelayedListener extends EventEmitter implements CaptureListener {
  listening = true;

  /** Without anybody who would take it, a connection is refused. */
  offer(connection: Socket): void {
    if (!this.listening || !this.emit("connection", connection)) connection.destroy();
  }

  close(done?: () => void): void {
    this.listening = false;
    if (done !== undefined) process.nextTick(done);
  }
}

/** A DNS socket of a sandbox whose kernel socket is a relay's. */
export class RelayedDatagrams extends EventEmitter implements CaptureDatagrams {
  readonly #send: (bytes: Buffer) => void;
  #isOpen = true;

  constructor(send: (bytes: Buffer) => void) {
    super();
    this.#send = send;
  }

  /** As the relay sent it: the length of an address, the address, the datagram. */
  take(bytes: Buffer): void {
    const length = bytes[0] ?? 0;
    const sender = readSocketAddress(bytes.subarray(1, 1 + length));
    if (!this.#isOpen || sender === undefined) return;
    this.emit("message", bytes.subarray(1 + length), sender);
  }

  send(...sent: Parameters<CaptureDatagrams["send"]>): void {
    const [bytes, port, address, done] = sent;
    const to = writeSocketAddress({ address, port });
    if (this.#isOpen) this.#send(Buffer.concat([Buffer.from([to.length]), to, bytes]));
    if (done !== undefined) process.nextTick(done);
  }

  close(): void {
    this.#isOpen = false;
    process.nextTick(() => this.emit("close"));
  }
}
