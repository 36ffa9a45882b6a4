import { BLOCK_BYTES, MODE_MASK, paddingOf, sumHeader, type TarEntry } from "./tar-entry.ts";

const NAME_BYTES = 100;
const SIZE_MAX = 0o77777777777;
const KINDS = { file: "0", directory: "5", link: "2" } as const;

export type WrittenEntry = Omit<TarEntry, "type"> & { type: keyof typeof KINDS };

/** The header of an entry, with a pax header before it for what does not fit. Its content and `endEntry` follow. */
export function writeHeader(entry: WrittenEntry): Buffer {
  const { name, target, sizeBytes } = entry;
  const records = [
    name.length > NAME_BYTES ? record("path", name) : "",
    target.length > NAME_BYTES ? record("linkpath", target) : "",
    sizeBytes > SIZE_MAX ? record("size", String(sizeBytes)) : "",
  ].join("");
  const own = writeBlock(entry, KINDS[entry.type]);
  if (records === "") return own;
  const text = Buffer.from(records, "latin1");
  const pax = { ...entry, name: "pax", target: "", mode: 0o644, sizeBytes: text.length };
  return Buffer.concat([writeBlock(pax, "x"), text, endEntry(text.length), own]);
}

/** What follows a content of `sizeBytes`. */
export function endEntry(sizeBytes: number): Buffer {
  return Buffer.alloc(paddingOf(sizeBytes));
}

/** What ends the stream. */
export function endTar(): Buffer {
  return Buffer.alloc(2 * BLOCK_BYTES);
}

function writeBlock(entry: Omit<TarEntry, "type">, kind: string): Buffer {
  const block = Buffer.alloc(BLOCK_BYTES);
  block.write(entry.name.slice(0, NAME_BYTES), 0, "latin1");
  writeOctal(block.subarray(100, 108), entry.mode & MODE_MASK);
  writeOctal(block.subarray(108, 116), 0);
  writeOctal(block.subarray(116, 124), 0);
  writeOctal(block.subarray(124, 136), entry.sizeBytes > SIZE_MAX ? 0 : entry.sizeBytes);
  writeOctal(block.subarray(136, 148), clampSeconds(entry.modifiedSeconds));
  block.write(kind, 156, "latin1");
  block.write(entry.target.slice(0, NAME_BYTES), 157, "latin1");
  block.write("ustar\0" + "00", 257, "latin1");
  writeOctal(block.subarray(148, 156), sumHeader(block));
  return block;
}

function clampSeconds(seconds: number): number {
  return Math.min(Math.max(0, Math.trunc(seconds)), SIZE_MAX);
}

function writeOctal(field: Buffer, value: number): void {
  field.write(`${value.toString(8).padStart(field.length - 1, "0")}\0`, "latin1");
}

/** The length of a record counts the digits of the length itself. */
function record(name: string, value: string): string {
  const rest = ` ${name}=${value}\n`;
  let length = rest.length;
  while (String(length).length + rest.length !== length)
    length = String(length).length + rest.length;
  return `${length}${rest}`;
}
