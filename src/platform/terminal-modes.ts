const ESCAPE = 0x1b;
/** The longest beginning of a sequence that may wait for its end in the next bytes. */
const PENDING_BYTES_MAX = 64;

/** Private modes that change how a terminal behaves after the program that set them has gone. */
const SWITCHED_OFF_AFTERWARDS = new Set([
  1, 9, 47, 66, 1000, 1001, 1002, 1003, 1004, 1005, 1006, 1015, 1016, 1047, 1049, 2004, 2026,
]);
const CURSOR_VISIBLE = 25;
const WRAP = 7;

/** Follows a program's output and knows what it takes to give the terminal back as it was. */
export class TerminalModes {
  readonly #on = new Set<number>();
  readonly #off = new Set<number>();
  #keypad = false;
  #coloured = false;
  #pending: Uint8Array = new Uint8Array(0);

  push(bytes: Uint8Array): void {
    const whole = this.#pending.length === 0 ? bytes : Buffer.concat([this.#pending, bytes]);
    this.#pending = new Uint8Array(0);
    let at = whole.indexOf(ESCAPE);
    while (at !== -1) {
      const end = this.#read(whole, at);
      if (end === undefined) {
        const rest = whole.subarray(at);
        if (rest.length <= PENDING_BYTES_MAX) this.#pending = Uint8Array.from(rest);
        return;
      }
      at = whole.indexOf(ESCAPE, end);
    }
  }

  /** The sequences that undo what is still switched on; empty when the program did so itself. */
  undo(): string {
    const resets = [...this.#on].toReversed().map((mode) => `\x1b[?${mode}l`);
    const sets = [...this.#off].map((mode) => `\x1b[?${mode}h`);
    const keypad = this.#keypad ? ["\x1b>"] : [];
    const colours = this.#coloured ? ["\x1b[0m"] : [];
    this.#on.clear();
    this.#off.clear();
    return [...resets, ...sets, ...keypad, ...colours].join("");
  }

  /** Reads the sequence at `start`; returns the index behind it, or undefined when its end is not there yet. */
  #read(bytes: Uint8Array, start: number): number | undefined {
    const kind = bytes[start + 1];
    if (kind === undefined) return undefined;
    if (kind === 0x3d || kind === 0x3e) this.#keypad = kind === 0x3d;
    if (kind !== 0x5b) return start + 1;
    let end = start + 2;
    while (end < bytes.length && isParameter(bytes[end] ?? 0)) end++;
    const final = bytes[end];
    if (final === undefined) return undefined;
    this.#apply(Buffer.from(bytes.subarray(start + 2, end)).toString("latin1"), final);
    return end;
  }

  #apply(parameters: string, final: number): void {
    if (final === 0x6d) {
      this.#coloured = !(parameters === "" || parameters === "0");
      return;
    }
    if (!parameters.startsWith("?") || (final !== 0x68 && final !== 0x6c)) return;
    for (const mode of parameters.slice(1).split(";").map(Number))
      this.#switch(mode, final === 0x68);
  }

  #switch(mode: number, isOn: boolean): void {
    if (mode === CURSOR_VISIBLE || mode === WRAP) {
      if (isOn) this.#off.delete(mode);
      else this.#off.add(mode);
    } else if (isOn && SWITCHED_OFF_AFTERWARDS.has(mode)) this.#on.add(mode);
    else this.#on.delete(mode);
  }
}

/** Parameter and intermediate bytes of a control sequence. */
function isParameter(byte: number): boolean {
  return byte >= 0x20 && byte <= 0x3f;
}
