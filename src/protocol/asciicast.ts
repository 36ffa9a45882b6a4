import type { TerminalSize } from "./process.ts";

/** The first line of a recording: asciicast version 2, as asciinema and its players read it. */
export interface CastHeader {
  version: 2;
  width: number;
  height: number;
  /** Seconds since 1970. */
  timestamp: number;
  title?: string;
  env?: Record<string, string>;
}

/** Seconds since the beginning; `o` output, `r` a new size as `80x24`, `m` a remark. Input (`i`) is never recorded. */
export type CastEvent = readonly [atSeconds: number, kind: "o" | "r" | "m", data: string];

export interface Cast {
  header: CastHeader;
  events: readonly CastEvent[];
}

export function castHeader(
  { columns, rows }: TerminalSize,
  more: { title?: string; startedAt: Date },
): CastHeader {
  const { title, startedAt } = more;
  return {
    version: 2,
    width: columns,
    height: rows,
    timestamp: Math.floor(startedAt.getTime() / 1000),
    ...(title === undefined ? {} : { title }),
    env: { TERM: "xterm-256color" },
  };
}

/**
 * Turns what a terminal printed into the lines of a recording. A recording is text: bytes that are no UTF-8 become replacement
 * characters, and a character that comes in two pieces is kept whole.
 */
export class CastEncoder {
  readonly #decoder = new TextDecoder();
  readonly #hasTerminal: boolean;
  #endedInReturn = false;

  /** `hasTerminal`: whether line feeds come with carriage returns, as a terminal adds them and a pipe does not. */
  constructor(hasTerminal: boolean) {
    this.#hasTerminal = hasTerminal;
  }

  /** Undefined when there is no whole character yet. */
  output(bytes: Uint8Array, atSeconds: number): string | undefined {
    const text = this.#decoder.decode(bytes, { stream: true });
    if (text === "") return undefined;
    return encode([atSeconds, "o", this.#hasTerminal ? text : this.#addReturns(text)]);
  }

  #addReturns(text: string): string {
    const whole = this.#endedInReturn ? `\r${text}` : text;
    const returned = whole.replaceAll(/(?<!\r)\n/g, "\r\n").slice(this.#endedInReturn ? 1 : 0);
    this.#endedInReturn = text.endsWith("\r");
    return returned;
  }
}

export function encodeResize({ columns, rows }: TerminalSize, atSeconds: number): string {
  return encode([atSeconds, "r", `${columns}x${rows}`]);
}

export function encodeRemark(text: string, atSeconds: number): string {
  return encode([atSeconds, "m", text]);
}

function encode([at, kind, data]: CastEvent): string {
  return `${JSON.stringify([Number(at.toFixed(6)), kind, data])}\n`;
}

export interface CastRecorderOptions {
  size: TerminalSize;
  title?: string;
  /** Whether what is recorded has a terminal, or pipes. */
  hasTerminal: boolean;
  startedAt: Date;
  /** Takes each line of the recording. */
  write(line: string): void;
}

/** Makes a recording while it happens. */
export class CastRecorder {
  readonly #write: (line: string) => void;
  readonly #encoder: CastEncoder;
  readonly #began = performance.now();

  constructor(options: CastRecorderOptions) {
    const { size, hasTerminal, write } = options;
    this.#write = (line) => write(line);
    this.#encoder = new CastEncoder(hasTerminal);
    write(`${JSON.stringify(castHeader(size, options))}\n`);
  }

  output(bytes: Uint8Array): void {
    const line = this.#encoder.output(bytes, this.#elapsed());
    if (line !== undefined) this.#write(line);
  }

  resize(size: TerminalSize): void {
    this.#write(encodeResize(size, this.#elapsed()));
  }

  #elapsed(): number {
    return (performance.now() - this.#began) / 1000;
  }
}

/** Reads a recording. A last line that is cut, as of one that still goes on, is left out. Undefined: not a recording. */
export function parseCast(text: string): Cast | undefined {
  const [first = "", ...lines] = text.split("\n");
  const header = parseLine(first) as CastHeader | undefined;
  if (header?.version !== 2 || !(header.width > 0) || !(header.height > 0)) return undefined;
  const events = lines.flatMap((line) => {
    const event = parseLine(line);
    return isEvent(event) ? [event] : [];
  });
  return { header, events };
}

function parseLine(line: string): unknown {
  try {
    return line === "" ? undefined : JSON.parse(line);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function isEvent(value: unknown): value is CastEvent {
  if (!Array.isArray(value)) return false;
  const [at, kind, data] = value as unknown[];
  return typeof at === "number" && typeof data === "string" && "orm".includes(String(kind));
}
