const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
/** The last bit tells in which order the words were summed. */
const MAGIC = 0x377f0682;

type Sums = readonly [number, number];

interface Pages {
  pageBytes: number;
  /** By number, from 1. */
  changed: ReadonlyMap<number, Buffer>;
  /** How many the database has after the last whole transaction; 0 when there is none. */
  count: number;
}

/**
 * What a SQLite database is with its write-ahead log taken in: the pages of every whole transaction laid over it, as the
 * next program that opens both would do. A log of another database, or what breaks off in one, counts for nothing.
 */
export function takeInLog(database: Buffer, log: Buffer): Buffer {
  const { pageBytes, changed, count } = readPages(log);
  if (count === 0) return database;
  // SECURITY: a log can only add pages that are in it; the number it names sets nothing aside.
  const sizeBytes = Math.min(count * pageBytes, database.length + log.length);
  const taken = Buffer.alloc(sizeBytes);
  database.copy(taken);
  for (const [number, page] of changed) {
    if (number * pageBytes <= sizeBytes) page.copy(taken, (number - 1) * pageBytes);
  }
  return taken;
}

function readPages(log: Buffer): Pages {
  const nothing = { pageBytes: 0, changed: new Map<number, Buffer>(), count: 0 };
  const magic = log.length < HEADER_BYTES ? 0 : log.readUInt32BE(0);
  if ((magic & ~1) >>> 0 !== MAGIC) return nothing;
  const isBigEndian = (magic & 1) === 1;
  const pageBytes = log.readUInt32BE(8);
  if (!isPageSize(pageBytes)) return nothing;
  let sums = add([0, 0], log.subarray(0, 24), isBigEndian);
  if (!matches(sums, log, 24)) return nothing;
  const changed = new Map<number, Buffer>();
  let pending: [number, Buffer][] = [];
  let count = 0;
  const frameBytes = FRAME_HEADER_BYTES + pageBytes;
  for (let at = HEADER_BYTES; at + frameBytes <= log.length; at += frameBytes) {
    const frame = log.subarray(at, at + frameBytes);
    if (!frame.subarray(8, 16).equals(log.subarray(16, 24))) break;
    const page = frame.subarray(FRAME_HEADER_BYTES);
    sums = add(add(sums, frame.subarray(0, 8), isBigEndian), page, isBigEndian);
    const number = frame.readUInt32BE(0);
    if (number === 0 || !matches(sums, frame, 16)) break;
    pending.push([number, page]);
    if (frame.readUInt32BE(4) === 0) continue;
    for (const [key, value] of pending) changed.set(key, value);
    pending = [];
    count = frame.readUInt32BE(4);
  }
  return { pageBytes, changed, count };
}

function isPageSize(bytes: number): boolean {
  return bytes >= 512 && bytes <= 65_536 && (bytes & (bytes - 1)) === 0;
}

function add([first, second]: Sums, bytes: Buffer, isBigEndian: boolean): Sums {
  let [a, b] = [first, second];
  for (let at = 0; at + 8 <= bytes.length; at += 8) {
    const [x, y] = isBigEndian
      ? [bytes.readUInt32BE(at), bytes.readUInt32BE(at + 4)]
      : [bytes.readUInt32LE(at), bytes.readUInt32LE(at + 4)];
    a = (a + x + b) >>> 0;
    b = (b + y + a) >>> 0;
  }
  return [a, b];
}

function matches([first, second]: Sums, bytes: Buffer, at: number): boolean {
  return bytes.readUInt32BE(at) === first && bytes.readUInt32BE(at + 4) === second;
}
