import type { TerminalFeature } from "../../protocol/terminal-feature.ts";
import {
  classifyCommand,
  classifyControl,
  classifyDevice,
  classifyEscape,
  type SequenceKind,
} from "./control-sequence.ts";

const ESC = 0x1b;
const BEL = 0x07;
const CAN = 0x18;
const SUB = 0x1a;
const ENQ = 0x05;
const C1_LEAD = 0xc2;
const REPLACEMENT = Buffer.from("\uFFFD");
/** Longer ones are dropped: nothing that draws is so long. */
const SEQUENCE_BYTES_MAX = 256;
const COMMAND_BYTES_MAX = 64 * 1024;

type State = "ground" | "escape" | "control" | "command" | "device" | "device-data" | "ignored";

/** By the second byte of their two-byte form: the sequences that a C1 control or `ESC` begins. */
const OPENERS: Readonly<Record<number, State>> = {
  0x5b: "control",
  0x5d: "command",
  0x50: "device",
  0x58: "ignored",
  0x5e: "ignored",
  0x5f: "ignored",
  // A title, as screen has it, up to the string's end.
  0x6b: "ignored",
};

/**
 * Lets through what draws, and of the rest what is permitted. One direction, byte for byte, in chunks of any size; what is
 * let through keeps its order, and text is not changed.
 * SECURITY: what is read as a sequence here must be read as the same one by every terminal. So a sequence is held until it
 * has ended and then written anew in its plainest form; 8-bit controls count in both their forms; and what is not known is dropped.
 */
export class OutputFilter {
  readonly #permitted: ReadonlySet<TerminalFeature>;
  #state: State = "ground";
  #held: number[] = [];
  /** Continuation bytes of a character that are still to come, and whether its first one was `C2`. */
  #continuations = 0;
  #isHoldingLead = false;
  #isAfterEscape = false;
  #isShowingDevice = false;
  #out: Buffer[] = [];

  /** When a query was let through last, by `performance.now()`; its answer may be on the way. */
  lastQueryAtMs = -Infinity;

  constructor(permitted: readonly TerminalFeature[]) {
    this.#permitted = new Set(permitted);
  }

  push(bytes: Uint8Array): Buffer {
    this.#out = [];
    let start = 0;
    for (let index = 0; index < bytes.length; index += 1) {
      const byte = bytes[index] ?? 0;
      if (this.#state === "ground" && this.#isPlain(byte)) continue;
      if (start < index) this.#out.push(Buffer.from(bytes.subarray(start, index)));
      this.#step(byte);
      start = index + 1;
    }
    if (start < bytes.length && this.#state === "ground") {
      this.#out.push(Buffer.from(bytes.subarray(start)));
    }
    return Buffer.concat(this.#out);
  }

  /** Whether a byte of the ground state goes through as it is; follows the characters of UTF-8. */
  #isPlain(byte: number): boolean {
    if (this.#isHoldingLead) return false;
    if (byte >= 0x20 && byte < 0x7f) {
      this.#continuations = 0;
      return true;
    }
    if (byte < 0x80) {
      this.#continuations = 0;
      return byte !== ESC && byte !== ENQ;
    }
    if (byte < 0xc0) {
      if (this.#continuations === 0) return byte >= 0xa0;
      this.#continuations -= 1;
      return true;
    }
    // Of the others no character of UTF-8 begins with: a lenient reader could find any byte in them.
    if (byte <= C1_LEAD || byte > 0xf4) return false;
    this.#continuations = byte >= 0xf0 ? 3 : byte >= 0xe0 ? 2 : 1;
    return true;
  }

  #step(byte: number): void {
    if (this.#state === "ground") this.#stepGround(byte);
    else if (byte === CAN || byte === SUB) this.#reset();
    else if (this.#state === "escape") this.#stepEscape(byte);
    else if (this.#state === "control") this.#stepControl(byte);
    else this.#stepString(byte);
  }

  #stepGround(byte: number): void {
    if (this.#isHoldingLead) {
      this.#isHoldingLead = false;
      if (byte >= 0x80 && byte < 0xa0) return this.#open(byte - 0x40);
      if (byte >= 0xa0 && byte < 0xc0) return void this.#out.push(Buffer.of(C1_LEAD, byte));
      this.#out.push(REPLACEMENT);
      if (this.#isPlain(byte)) return void this.#out.push(Buffer.of(byte));
      return this.#stepGround(byte);
    }
    if (byte === C1_LEAD) {
      this.#continuations = 0;
      this.#isHoldingLead = true;
    } else if (byte === ESC) this.#state = "escape";
    else if (byte !== ENQ) {
      // An 8-bit control outside any character, which some terminals obey, or what breaks a character off.
      this.#continuations = 0;
      this.#out.push(REPLACEMENT);
    }
  }

  #open(second: number): void {
    this.#held = [];
    this.#isAfterEscape = false;
    this.#isShowingDevice = false;
    this.#state = OPENERS[second] ?? "ground";
    const isDrawing = this.#state === "ground" && "DEHMNO".includes(String.fromCharCode(second));
    if (isDrawing) this.#out.push(Buffer.of(ESC, second));
  }

  #stepEscape(byte: number): void {
    if (byte === ESC) return void (this.#held = []);
    if (this.#held.length === 0 && OPENERS[byte] !== undefined) return this.#open(byte);
    if (byte < 0x20 || byte >= 0x7f) return this.#interrupt(byte);
    this.#held.push(byte);
    if (byte < 0x30) return this.#dropWhenLong(SEQUENCE_BYTES_MAX);
    const text = String.fromCharCode(...this.#held);
    this.#finish(classifyEscape(text.slice(0, -1), text.slice(-1)), `\x1b${text}`);
  }

  #stepControl(byte: number): void {
    if (byte === ESC) return this.#again();
    if (byte < 0x20 || byte >= 0x7f) return this.#interrupt(byte);
    this.#held.push(byte);
    if (byte < 0x40) return this.#dropWhenLong(SEQUENCE_BYTES_MAX);
    const text = String.fromCharCode(...this.#held);
    const parts = /^([?<=>]?)([0-9;:]*)([ -/]*)(.)$/.exec(text);
    if (parts === null) return this.#reset();
    const [, prefix = "", parameters = "", intermediates = "", final = ""] = parts;
    const sequence = { prefix, parameters, intermediates, final };
    this.#finish(classifyControl(sequence), `\x1b[${text}`);
  }

  /** Strings end with BEL or with `ESC \`; any other `ESC` breaks them off and begins anew. */
  #stepString(byte: number): void {
    if (this.#isAfterEscape) {
      this.#isAfterEscape = false;
      if (byte === 0x5c) return this.#endString();
      this.#endDevice();
      this.#again();
      return this.#step(byte);
    }
    if (byte === ESC) this.#isAfterEscape = true;
    else if (byte === BEL && this.#state !== "device-data") this.#endString();
    else if (this.#state === "device-data") this.#stepDeviceData(byte);
    else if (this.#state === "ignored") return;
    else this.#hold(byte);
  }

  #hold(byte: number): void {
    this.#held.push(byte);
    if (this.#state === "command") {
      if (this.#held.length > COMMAND_BYTES_MAX) this.#state = "ignored";
      return;
    }
    if (byte < 0x40 && this.#held.length < SEQUENCE_BYTES_MAX) return;
    const introduction = String.fromCharCode(...this.#held);
    const kind = byte < 0x40 ? "never" : classifyDevice(introduction);
    this.#isShowingDevice = this.#isPermitted(kind);
    this.#state = this.#isShowingDevice ? "device-data" : "ignored";
    if (this.#isShowingDevice) this.#out.push(Buffer.from(`\x1bP${introduction}`));
  }

  #stepDeviceData(byte: number): void {
    if (byte >= 0x20 && byte < 0x7f) this.#out.push(Buffer.of(byte));
  }

  #endDevice(): void {
    if (this.#isShowingDevice) this.#out.push(Buffer.from("\x1b\\"));
    this.#isShowingDevice = false;
  }

  #endString(): void {
    if (this.#state === "command") {
      const text = Buffer.from(this.#held).toString("utf8");
      // SECURITY: a control within would end the string earlier for the terminal than for us.
      const kind = /[\u0000-\u001f\u007f-\u009f\uFFFD]/.test(text)
        ? "never"
        : classifyCommand(text);
      return this.#finish(kind, `\x1b]${text}\x1b\\`);
    }
    this.#endDevice();
    this.#reset();
  }

  #finish(kind: SequenceKind, text: string): void {
    if (this.#isPermitted(kind)) this.#out.push(Buffer.from(text));
    if (kind === "query" && this.#isPermitted(kind)) this.lastQueryAtMs = performance.now();
    this.#reset();
  }

  #isPermitted(kind: SequenceKind): boolean {
    return kind === "draw" || (kind !== "never" && this.#permitted.has(kind));
  }

  #dropWhenLong(bytesMax: number): void {
    if (this.#held.length >= bytesMax) this.#reset();
  }

  /** Terminals obey a control within a sequence at once and then go on with it. */
  #interrupt(byte: number): void {
    if (byte < 0x20 && byte !== ENQ) this.#out.push(Buffer.of(byte));
    else if (byte >= 0x80) this.#reset();
  }

  #again(): void {
    this.#reset();
    this.#state = "escape";
  }

  #reset(): void {
    this.#state = "ground";
    this.#held = [];
    this.#isAfterEscape = false;
    this.#continuations = 0;
  }
}
