const ESCAPE = 0x1b;
const BELL = 0x07;
const CANCEL = 0x18;
const SUBSTITUTE = 0x1a;
/** Second bytes of the sequences that hold a string: DCS, SOS, OSC, PM, APC. */
const STRING_STARTS = new Set([0x50, 0x58, 0x5d, 0x5e, 0x5f]);
/** More than this of a string that does not end is not kept: whoever sends it does not mean a terminal. */
export const UNFINISHED_BYTES_MAX = 64 * 1024;

/**
 * Follows a program's output and holds the bytes of the control sequence or character that has begun and not ended, which no
 * screen shows yet. A new viewer needs them before the bytes that follow.
 */
export class UnfinishedSequence {
  #held: Uint8Array = new Uint8Array(0);

  get bytes(): Uint8Array {
    return this.#held;
  }

  push(bytes: Uint8Array): void {
    const whole = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes]);
    const start = findUnfinished(whole);
    const rest = whole.subarray(start);
    this.#held = rest.length > UNFINISHED_BYTES_MAX ? new Uint8Array(0) : Uint8Array.from(rest);
  }
}

/** Where the last sequence begins that has no end yet; the length when there is none. `bytes` begin outside of one. */
export function findUnfinished(bytes: Uint8Array): number {
  let at = bytes.indexOf(ESCAPE);
  let outside = 0;
  while (at !== -1) {
    const end = findEnd(bytes, at);
    if (end === undefined) return at;
    outside = end;
    at = bytes.indexOf(ESCAPE, end);
  }
  return findUnfinishedCharacter(bytes, outside);
}

/** The index behind the sequence at `start`; undefined when its end is not there yet. */
function findEnd(bytes: Uint8Array, start: number): number | undefined {
  const kind = bytes[start + 1];
  if (kind === undefined) return undefined;
  if (STRING_STARTS.has(kind)) return findStringEnd(bytes, start + 2, kind === 0x5d);
  let at = start + (kind === 0x5b ? 2 : 1);
  for (; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0;
    // A control character inside is carried out at once; an escape begins the next sequence, two others end this one.
    if (byte === ESCAPE) return at;
    if (byte === CANCEL || byte === SUBSTITUTE) return at + 1;
    const isFinal = kind === 0x5b ? byte >= 0x40 : byte >= 0x30;
    if (isFinal) return at + 1;
  }
  return undefined;
}

function findStringEnd(bytes: Uint8Array, from: number, endsWithBell: boolean): number | undefined {
  for (let at = from; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === CANCEL || byte === SUBSTITUTE) return at + 1;
    if (byte === BELL && endsWithBell) return at + 1;
    if (byte !== ESCAPE) continue;
    if (bytes[at + 1] === undefined) return undefined;
    // `ESC \` is the string's end; any other escape ends it too and begins its own sequence.
    return bytes[at + 1] === 0x5c ? at + 2 : at;
  }
  return undefined;
}

/** A UTF-8 character is at most four bytes, so that its first is at most three from the end. */
function findUnfinishedCharacter(bytes: Uint8Array, from: number): number {
  for (let back = 1; back <= 3 && bytes.length - back >= from; back++) {
    const byte = bytes[bytes.length - back] ?? 0;
    if (byte < 0x80) break;
    if (byte < 0xc0) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
    return length > back ? bytes.length - back : bytes.length;
  }
  return bytes.length;
}
