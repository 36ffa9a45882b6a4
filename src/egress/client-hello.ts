/** What the first bytes of a connection say about TLS. */
export type HelloReading =
  /** This many bytes must be there before reading again can tell more. */
  | { kind: "partial"; bytesNeeded: number }
  | { kind: "not-tls" }
  | { kind: "malformed"; problem: string }
  | {
      kind: "hello";
      /** As sent, when the extension is there. */
      serverName?: string;
      /** An Encrypted ClientHello or its predecessor is offered, so the name inside may be another. */
      isNameHidden: boolean;
      /** Application protocols (ALPN) that the client offers, in its order. */
      protocols?: readonly string[];
    };

/** A hello with many key shares and post-quantum keys takes a few KiB. */
export const HELLO_BYTES_MAX = 64 * 1024;

/** SECURITY: bounds the work that a hello cut into tiny records causes. */
const RECORDS_MAX = 32;
const RECORD_HEADER_BYTES = 5;
const RECORD_BYTES_MAX = 16 * 1024 + 256;
const CONTENT_HANDSHAKE = 22;
const HANDSHAKE_CLIENT_HELLO = 1;
const EXTENSION_SERVER_NAME = 0;
const EXTENSION_PROTOCOLS = 16;
const EXTENSIONS_HIDING_NAMES = [0xfe0d, 0xffce];
const NAME_TYPE_HOST = 0;

/** Reads the ClientHello at the start of `bytes`, however it is cut into records. Never throws. */
export function readClientHello(bytes: Buffer): HelloReading {
  if (bytes.length === 0) return { kind: "partial", bytesNeeded: 1 };
  if (bytes[0] !== CONTENT_HANDSHAKE) return { kind: "not-tls" };
  if (bytes.length > 1 && bytes[1] !== 3) return { kind: "not-tls" };
  const message = collectHandshake(bytes);
  if (!Buffer.isBuffer(message)) return message;
  return readHello(new Fields(message)) ?? malformed("its fields do not add up");
}

/** Joins the handshake fragments of the records until one whole message is there. */
function collectHandshake(bytes: Buffer): Buffer | HelloReading {
  const fragments: Buffer[] = [];
  let offset = 0;
  for (let records = 0; records < RECORDS_MAX; records++) {
    const header = readRecordHeader(bytes.subarray(offset));
    if (typeof header === "string") return malformed(header);
    const start = offset + RECORD_HEADER_BYTES;
    if (header === undefined) return { kind: "partial", bytesNeeded: start };
    const end = start + header.length;
    if (bytes.length < end) return { kind: "partial", bytesNeeded: end };
    fragments.push(bytes.subarray(start, end));
    const message = completeMessage(fragments);
    if (message !== undefined) return message;
    offset = end;
  }
  return malformed("it is cut into too many records");
}

/** The record's length, undefined while its header is not whole, or what is wrong with it. */
function readRecordHeader(bytes: Buffer): { length: number } | string | undefined {
  if (bytes.length < RECORD_HEADER_BYTES) return undefined;
  if (bytes[0] !== CONTENT_HANDSHAKE) return "other records interrupt it";
  if (bytes[1] !== 3) return "its record version is none of TLS";
  const length = bytes.readUInt16BE(3);
  return length === 0 || length > RECORD_BYTES_MAX ? "a record length is not valid" : { length };
}

function completeMessage(fragments: readonly Buffer[]): Buffer | HelloReading | undefined {
  const handshake = Buffer.concat(fragments);
  if (handshake[0] !== HANDSHAKE_CLIENT_HELLO) return malformed("it is not a ClientHello");
  if (handshake.length < 4) return undefined;
  const length = handshake.readUIntBE(1, 3);
  if (length > HELLO_BYTES_MAX) return malformed("it is too long");
  return handshake.length < 4 + length ? undefined : handshake.subarray(4, 4 + length);
}

function readHello(body: Fields): HelloReading | undefined {
  const isWhole =
    body.skip(2 + 32) && body.skipVector(1) && body.skipVector(2) && body.skipVector(1);
  if (!isWhole) return undefined;
  if (body.isEmpty()) return { kind: "hello", isNameHidden: false };
  const list = body.readVector(2);
  const extensions = list === undefined ? undefined : readExtensions(new Fields(list));
  if (extensions === undefined || !body.isEmpty()) return undefined;
  return interpretExtensions(extensions);
}

function interpretExtensions(extensions: ReadonlyMap<number, Buffer>): HelloReading {
  const isNameHidden = EXTENSIONS_HIDING_NAMES.some((type) => extensions.has(type));
  const offered = extensions.get(EXTENSION_PROTOCOLS);
  const protocols = offered === undefined ? undefined : readProtocols(new Fields(offered));
  if (offered !== undefined && protocols === undefined) {
    return malformed("its list of protocols is not valid");
  }
  const said = { isNameHidden, ...(protocols === undefined ? {} : { protocols }) };
  const nameExtension = extensions.get(EXTENSION_SERVER_NAME);
  if (nameExtension === undefined) return { kind: "hello", ...said };
  const serverName = readServerName(new Fields(nameExtension));
  if (serverName === undefined) return malformed("its server name is not valid");
  return { kind: "hello", serverName, ...said };
}

/** SECURITY: an extension that is there twice makes the list invalid; a server might take either. */
function readExtensions(list: Fields): ReadonlyMap<number, Buffer> | undefined {
  const extensions = new Map<number, Buffer>();
  while (!list.isEmpty()) {
    const type = list.readNumber(2);
    const value = list.readVector(2);
    if (type === undefined || value === undefined || extensions.has(type)) return undefined;
    extensions.set(type, value);
  }
  return extensions;
}

/** SECURITY: exactly one name; of two, the server might take the one that was not compared. */
function readServerName(extension: Fields): string | undefined {
  const list = extension.readVector(2);
  if (list === undefined || !extension.isEmpty()) return undefined;
  const names = new Fields(list);
  const type = names.readNumber(1);
  const name = names.readVector(2);
  if (type !== NAME_TYPE_HOST || name === undefined || !names.isEmpty()) return undefined;
  return name.length === 0 ? undefined : name.toString("latin1");
}

function readProtocols(extension: Fields): readonly string[] | undefined {
  const list = extension.readVector(2);
  if (list === undefined || !extension.isEmpty()) return undefined;
  const names = new Fields(list);
  const protocols: string[] = [];
  while (!names.isEmpty()) {
    const name = names.readVector(1);
    if (name === undefined || name.length === 0) return undefined;
    protocols.push(name.toString("latin1"));
  }
  return protocols.length === 0 ? undefined : protocols;
}

/** Reads length-prefixed fields; undefined or false once the bytes do not hold what they announce. */
class Fields {
  readonly #bytes: Buffer;
  #offset = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  isEmpty(): boolean {
    return this.#offset === this.#bytes.length;
  }

  skip(length: number): boolean {
    if (this.#offset + length > this.#bytes.length) return false;
    this.#offset += length;
    return true;
  }

  readNumber(width: 1 | 2): number | undefined {
    const start = this.#offset;
    return this.skip(width) ? this.#bytes.readUIntBE(start, width) : undefined;
  }

  readVector(width: 1 | 2): Buffer | undefined {
    const length = this.readNumber(width);
    const start = this.#offset;
    if (length === undefined || !this.skip(length)) return undefined;
    return this.#bytes.subarray(start, start + length);
  }

  skipVector(width: 1 | 2): boolean {
    return this.readVector(width) !== undefined;
  }
}

function malformed(problem: string): HelloReading {
  return { kind: "malformed", problem };
}
