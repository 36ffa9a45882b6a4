import { CattlegridError } from "../../errors/error.ts";
import { BLOCK_BYTES, MODE_MASK, paddingOf, sumHeader, type TarEntry } from "./tar-entry.ts";

/** Of a header that describes another one: names and pax records. A path has 4096 bytes at most. */
const DESCRIPTION_BYTES_MAX = 64 * 1024;
const DESCRIPTIONS_MAX = 8;

export interface ReadEntry {
  entry: TarEntry;
  /** The file's bytes. What is not read of them is passed over before the next entry. */
  content: AsyncIterable<Buffer>;
}

interface Header {
  entry: TarEntry;
  kind: string;
}

/** What headers before an entry say about it. */
type Description = Partial<Record<"path" | "linkpath" | "size" | "mtime", string>>;

/**
 * Reads a tar stream, ustar, pax or GNU. SECURITY: whoever writes it may be hostile, so nothing of it is kept but one
 * block, one description of bounded size and the chunk at hand, and a stream that breaks a rule or ends early is
 * refused with COPY_REFUSED.
 */
export async function* readTar(source: AsyncIterable<Uint8Array>): AsyncGenerator<ReadEntry> {
  const bytes = new ByteReader(source);
  try {
    let described: Description = {};
    let descriptions = 0;
    for (;;) {
      const block = await bytes.take(BLOCK_BYTES);
      if (block.every((byte) => byte === 0)) return;
      const header = parseHeader(block);
      const describes = DESCRIPTIONS[header.kind];
      if (describes !== undefined) {
        descriptions++;
        const text = await readDescription(bytes, header.entry.sizeBytes, descriptions);
        described = { ...described, ...describes(text) };
        continue;
      }
      const entry = describe(header.entry, described);
      described = {};
      descriptions = 0;
      const content = new Content(bytes, entry.sizeBytes);
      yield { entry, content };
      await content.pass();
    }
  } finally {
    await bytes.close();
  }
}

const TYPES: Readonly<Record<string, TarEntry["type"]>> = {
  "0": "file",
  "\0": "file",
  "7": "file",
  "5": "directory",
  "2": "link",
  "1": "other",
  "3": "other",
  "4": "other",
  "6": "other",
};

const DESCRIPTIONS: Readonly<Record<string, (bytes: Buffer) => Description>> = {
  L: (bytes) => ({ path: readText(bytes) }),
  K: (bytes) => ({ linkpath: readText(bytes) }),
  x: parseRecords,
  // Of the whole stream: nothing in it bears on a copy.
  g: () => ({}),
};

function parseHeader(block: Buffer): Header {
  if (readNumber(block.subarray(148, 156)) !== sumHeader(block)) {
    throw refuse("a header's checksum is wrong");
  }
  const kind = block.toString("latin1", 156, 157);
  const type = TYPES[kind];
  if (type === undefined && DESCRIPTIONS[kind] === undefined) {
    throw refuse(`it has an entry of the unknown kind ${JSON.stringify(kind)}`);
  }
  const isUstar = block.toString("latin1", 257, 263) === "ustar\0";
  const prefix = isUstar ? readText(block.subarray(345, 500)) : "";
  const name = readText(block.subarray(0, 100));
  const hasContent = type === "file" || type === undefined;
  return {
    kind,
    entry: {
      name: prefix === "" ? name : `${prefix}/${name}`,
      type: type ?? "other",
      mode: readNumber(block.subarray(100, 108)) & MODE_MASK,
      sizeBytes: hasContent ? readNumber(block.subarray(124, 136)) : 0,
      modifiedSeconds: readNumber(block.subarray(136, 148)),
      target: type === "link" ? readText(block.subarray(157, 257)) : "",
    },
  };
}

function describe(entry: TarEntry, { path, linkpath, size, mtime }: Description): TarEntry {
  const isFile = entry.type === "file";
  return {
    ...entry,
    ...(path === undefined ? {} : { name: path }),
    ...(linkpath === undefined || entry.type !== "link" ? {} : { target: linkpath }),
    ...(size === undefined || !isFile ? {} : { sizeBytes: readDecimal(size) }),
    ...(mtime === undefined ? {} : { modifiedSeconds: readSeconds(mtime) }),
  };
}

/** `count` is how many of them have come for one entry. */
async function readDescription(
  bytes: ByteReader,
  sizeBytes: number,
  count: number,
): Promise<Buffer> {
  if (count > DESCRIPTIONS_MAX) throw refuse("it describes and never comes to it");
  if (sizeBytes > DESCRIPTION_BYTES_MAX) throw refuse("a name or record in it is too long");
  const description = await bytes.take(sizeBytes);
  await bytes.take(paddingOf(sizeBytes));
  return description;
}

/** `LENGTH NAME=VALUE\n`, where the length counts itself. */
function parseRecords(bytes: Buffer): Description {
  const found: Description = {};
  for (let at = 0; at < bytes.length;) {
    const space = bytes.indexOf(0x20, at);
    const length = Number(bytes.toString("latin1", at, space === -1 ? at : space));
    const end = at + length;
    const isWhole = Number.isSafeInteger(length) && length > 0 && end <= bytes.length;
    if (!isWhole || end <= space || bytes[end - 1] !== 0x0a) throw refuse("a record is malformed");
    const record = bytes.toString("latin1", space + 1, end - 1);
    const equals = record.indexOf("=");
    const name = record.slice(0, equals);
    // A sparse file's map would be taken for its content.
    if (name.startsWith("GNU.sparse.")) throw refuse("it has a file in GNU's sparse form");
    if (RECORDS.has(name)) found[name as keyof Description] = record.slice(equals + 1);
    at = end;
  }
  return found;
}

const RECORDS: ReadonlySet<string> = new Set(["path", "linkpath", "size", "mtime"]);

function readText(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.toString("latin1", 0, end === -1 ? bytes.length : end);
}

/** Octal digits, or with the highest bit set a binary number. */
function readNumber(bytes: Buffer): number {
  const first = bytes[0] ?? 0;
  if ((first & 0x80) !== 0) return readBinary(bytes);
  const text = bytes.toString("latin1").replace(/[\0 ]+$/, "");
  const digits = text.trimStart();
  if (digits === "") return 0;
  if (!/^[0-7]+$/.test(digits)) throw refuse("a number in a header is malformed");
  return Number.parseInt(digits, 8);
}

function readBinary(bytes: Buffer): number {
  const isNegative = bytes[0] === 0xff;
  const rest = [(bytes[0] ?? 0) & 0x7f, ...bytes.subarray(1)];
  const value = rest.reduce((sum, byte) => sum * 256 + byte, 0);
  if (isNegative) return 0;
  if (!Number.isSafeInteger(value)) throw refuse("a number in a header is too large");
  return value;
}

function readDecimal(text: string): number {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : NaN;
  if (!Number.isSafeInteger(value)) throw refuse("a size is malformed");
  return value;
}

function readSeconds(text: string): number {
  const value = /^-?\d{1,12}(\.\d{1,12})?$/.test(text) ? Number(text) : NaN;
  if (!Number.isFinite(value)) throw refuse("a time is malformed");
  return value;
}

function refuse(why: string): CattlegridError {
  return new CattlegridError("COPY_REFUSED", `The tar stream is refused: ${why}.`);
}

/** The bytes of one file, as they come. */
class Content implements AsyncIterable<Buffer> {
  readonly #bytes: ByteReader;
  #left: number;
  readonly #padding: number;

  constructor(bytes: ByteReader, sizeBytes: number) {
    this.#bytes = bytes;
    this.#left = sizeBytes;
    this.#padding = paddingOf(sizeBytes);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    while (this.#left > 0) {
      const chunk = await this.#bytes.takeSome(this.#left);
      this.#left -= chunk.length;
      yield chunk;
    }
  }

  async pass(): Promise<void> {
    while (this.#left > 0) this.#left -= (await this.#bytes.takeSome(this.#left)).length;
    await this.#bytes.take(this.#padding);
  }
}

/** Takes exact numbers of bytes from chunks of any size. */
class ByteReader {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#chunks = source[Symbol.asyncIterator]();
  }

  /** `count` must be small: all of it is held at once. */
  async take(count: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    for (let left = count; left > 0;) {
      const part = await this.takeSome(left);
      parts.push(part);
      left -= part.length;
    }
    const [only] = parts;
    return parts.length === 1 && only !== undefined ? only : Buffer.concat(parts);
  }

  /** At least one byte, at most `count`. */
  async takeSome(count: number): Promise<Buffer> {
    while (this.#rest.length === 0) {
      const step = await this.#chunks.next();
      if (step.done === true) throw refuse("it ends before its end is marked");
      const { buffer, byteOffset, byteLength } = step.value;
      this.#rest = Buffer.from(buffer, byteOffset, byteLength);
    }
    const part = this.#rest.subarray(0, count);
    this.#rest = this.#rest.subarray(part.length);
    return part;
  }

  async close(): Promise<void> {
    await this.#chunks.return?.();
  }
}
