import { SerializeAddon } from "@xterm/addon-serialize";
import { Unicode11Addon } from "@xterm/addon-unicode11";
import headless from "@xterm/headless";
import type { TerminalSize } from "../protocol/process.ts";
import { countHistoryLines } from "./screen-size.ts";
import { UnfinishedSequence } from "./unfinished-sequence.ts";

const CURSOR_VISIBLE = 25;
const TO_ALTERNATE_BUFFER = "\x1b[?1049h\x1b[H";
const MOUSE_ENCODINGS = new Set([1005, 1006, 1015, 1016]);

/**
 * A terminal without a window: it takes a program's bytes and tells at any moment which bytes paint the same screen on
 * another terminal. Meant for a worker: it takes about 30 ms for each MiB.
 */
export class HeadlessScreen {
  readonly #terminal: headless.Terminal;
  readonly #serializer = new SerializeAddon();
  readonly #unfinished = new UnfinishedSequence();
  /** What the serializer leaves out: sequences by what they set, in the order in which they were set. */
  readonly #settings = new Map<string, string>();
  #title = "";

  constructor({ columns, rows }: TerminalSize) {
    this.#terminal = new headless.Terminal({
      cols: columns,
      rows,
      scrollback: countHistoryLines({ columns, rows }),
      allowProposedApi: true,
      logLevel: "off",
    });
    this.#terminal.loadAddon(this.#serializer as headless.ITerminalAddon);
    this.#terminal.loadAddon(new Unicode11Addon() as headless.ITerminalAddon);
    this.#terminal.unicode.activeVersion = "11";
    this.#watch();
  }

  get size(): TerminalSize {
    return { columns: this.#terminal.cols, rows: this.#terminal.rows };
  }

  /** Resolves when the bytes are on the screen. */
  async write(bytes: Uint8Array): Promise<void> {
    this.#unfinished.push(bytes);
    await new Promise<void>((resolve) => this.#terminal.write(bytes, resolve));
  }

  resize(size: TerminalSize): void {
    if (size.columns === this.#terminal.cols && size.rows === this.#terminal.rows) return;
    // A program sets its margins anew for its new size, as the terminal itself has forgotten them.
    this.#settings.delete("margins");
    this.#terminal.options.scrollback = countHistoryLines(size);
    this.#terminal.resize(size.columns, size.rows);
  }

  /**
   * The bytes that turn a terminal of the same size, after a reset, into this one: history, both buffers, colours, cursor, modes, and
   * the beginning of whatever sequence is not finished.
   */
  snapshot(): Uint8Array {
    const serialized = this.#serializer.serialize();
    // The serializer leaves the style of what comes next switched on while it paints the alternate buffer.
    const content = serialized.replace(TO_ALTERNATE_BUFFER, `\x1b[0m${TO_ALTERNATE_BUFFER}`);
    const title = this.#title === "" ? "" : `\x1b]2;${this.#title}\x07`;
    const settings = [...this.#settings.values()].join("");
    const painted = Buffer.from(`${title}${content}${settings}${this.#placeCursor()}`);
    return Buffer.concat([painted, this.#unfinished.bytes]);
  }

  dispose(): void {
    this.#terminal.dispose();
  }

  /** A cursor that waits behind the last column is there already: no sequence puts it there. */
  #placeCursor(): string {
    const { cursorX, cursorY } = this.#terminal.buffer.active;
    if (cursorX >= this.#terminal.cols || this.#terminal.modes.originMode) return "";
    return `\x1b[${cursorY + 1};${cursorX + 1}H`;
  }

  #watch(): void {
    const { parser } = this.#terminal;
    this.#terminal.onTitleChange((title) => {
      this.#title = title.replaceAll(/[\0-\x1f\x7f-\x9f]/g, "");
    });
    parser.registerCsiHandler({ prefix: "?", final: "h" }, (modes) => this.#switch(modes, true));
    parser.registerCsiHandler({ prefix: "?", final: "l" }, (modes) => this.#switch(modes, false));
    parser.registerCsiHandler({ final: "r" }, (margins) => this.#setMargins(margins));
    parser.registerCsiHandler({ intermediates: " ", final: "q" }, ([style]) =>
      this.#set("cursor style", style === 0 ? undefined : `\x1b[${String(style)} q`),
    );
    // A repainted link would be an underlined text that leads nowhere.
    parser.registerOscHandler(8, () => true);
    parser.registerEscHandler({ intermediates: "(", final: "0" }, () =>
      this.#set("line drawing", "\x1b(0"),
    );
    parser.registerEscHandler({ intermediates: "(", final: "B" }, () => this.#set("line drawing"));
    parser.registerEscHandler({ final: "c" }, () => this.#reset());
    parser.registerCsiHandler({ intermediates: "!", final: "p" }, () => this.#reset());
  }

  #switch(modes: readonly (number | number[])[], isOn: boolean): false {
    for (const mode of modes.flat()) {
      if (mode === CURSOR_VISIBLE) this.#set("cursor", isOn ? undefined : "\x1b[?25l");
      if (MOUSE_ENCODINGS.has(mode)) {
        this.#set(`mouse ${mode}`, isOn ? `\x1b[?${mode}h` : undefined);
      }
    }
    return false;
  }

  #setMargins([top, bottom]: readonly (number | number[])[]): false {
    const { rows } = this.#terminal;
    const [first, last] = [Number(top) || 1, Number(bottom) || rows];
    const isWhole = first === 1 && last >= rows;
    return this.#set("margins", isWhole ? undefined : `\x1b[${first};${last}r`);
  }

  /** Returns false: the terminal itself carries the sequence out. */
  #set(what: string, sequence?: string): false {
    this.#settings.delete(what);
    if (sequence !== undefined) this.#settings.set(what, sequence);
    return false;
  }

  #reset(): false {
    this.#settings.clear();
    return false;
  }
}
