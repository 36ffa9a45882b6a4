/**
 * What an engine and a relay say to each other. To the relay: `connect`. From it: `hello`, `open`, `connected`. Either way:
 * the others. On the wire each is its length, its letter and its channel, before its bytes.
 */
const LETTERS = {
  /** The first thing that it says: why it could not open the capture sockets; nothing when it could. */
  hello: "H",
  /** A connection was captured; its bytes are the address for which it was meant, as the kernel writes it. */
  open: "O",
  /** Connect to a port of the loopback. */
  connect: "C",
  connected: "A",
  data: "D",
  /** Whoever sends this sends no more data. */
  end: "E",
  reset: "R",
  /** So many bytes more may be sent. */
  window: "W",
  /** A DNS query and its answer, after the address of who asks and the length of that. */
  datagram: "U",
} as const;

export type FrameKind = keyof typeof LETTERS;

export interface RelayFrame {
  kind: FrameKind;
  channel: number;
  bytes: Buffer;
}

/** How many bytes of one direction of one connection may be under way. The relay's program has the same number. */
export const WINDOW_BYTES = 256 * 1024;
/** Every frame is a good deal smaller: no datagram is longer, and data come in pieces of half that. */
const BYTES_MAX = 128 * 1024;
const HEADER_BYTES = 9;
const KINDS = new Map(
  Object.entries(LETTERS).map(([kind, letter]) => [letter.charCodeAt(0), kind as FrameKind]),
);

export function writeFrame(kind: FrameKind, channel: number, bytes: Uint8Array): Buffer {
  const header = Buffer.allocUnsafe(HEADER_BYTES);
  header.writeUInt32BE(bytes.length, 0);
  header.writeUInt8(LETTERS[kind].charCodeAt(0), 4);
  header.writeUInt32BE(channel, 5);
  return bytes.length === 0 ? header : Buffer.concat([header, bytes]);
}

/** Takes frames out of a stream that comes in pieces of any size. */
export class RelayFrameReader {
  #held: Buffer = Buffer.alloc(0);

  /** Yields `undefined`, and nothing after it, for what is no frame. */
  *take(bytes: Buffer): Generator<RelayFrame | undefined> {
    let rest = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes]);
    while (rest.length >= HEADER_BYTES) {
      const length = rest.readUInt32BE(0);
      const kind = KINDS.get(rest[4] ?? 0);
      if (kind === undefined || length > BYTES_MAX) return yield undefined;
      if (rest.length < HEADER_BYTES + length) break;
      const end = HEADER_BYTES + length;
      yield { kind, channel: rest.readUInt32BE(5), bytes: rest.subarray(HEADER_BYTES, end) };
      rest = rest.subarray(end);
    }
    this.#held = rest;
  }
}
