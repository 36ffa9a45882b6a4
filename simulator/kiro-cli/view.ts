import { once } from "node:events";
import type { Context } from "./context.ts";
import type { ToolCall, ToolResult } from "./conversation.ts";
import { Markdown } from "./markdown.ts";
import type { Engine } from "./profile.ts";

/** What a turn shows, whichever form the output has. */
export interface TurnView {
  answer(text: string): Promise<void>;
  /** The answer so far ends; a tool or the end of the turn follows. */
  endAnswer(): Promise<void>;
  tool(text: string): Promise<void>;
  /** A tool begins, and has ended; text engines tell it in their own words. */
  toolStart?(tool: ToolCall): Promise<void>;
  toolEnd?(result: ToolResult): Promise<void>;
  /** The service said no; stderr has the same text. */
  refused?(text: string): void;
  /** Bytes of a running command, as they come. */
  raw(bytes: Buffer): Promise<void>;
  /** Writes what follows in pieces of this many bytes. */
  split(chunkBytes: number): void;
}

export interface TextStyle {
  /** `v1` colours and writes `> ` before each part of the answer; `v2` is plain. */
  engine: Engine;
  rendersMarkdown: boolean;
  chunkBytes: number;
}

const PART_MARK = "\u001b[38;5;141m> \u001b[0m";

/** The text forms: V1 with colours even into a pipe, V2 without. The last line has no newline. */
export class TextView implements TurnView {
  readonly #style: TextStyle;
  readonly #markdown = new Markdown();
  #chunkBytes: number;
  #isAnswering = false;
  #isAtLineStart = true;

  constructor(style: TextStyle) {
    this.#style = style;
    this.#chunkBytes = style.chunkBytes;
  }

  async answer(text: string): Promise<void> {
    if (!this.#isAnswering) {
      this.#isAnswering = true;
      if (this.#style.engine === "v1") await this.#write(PART_MARK);
    }
    await this.#write(this.#style.rendersMarkdown ? this.#markdown.push(text) : text);
  }

  async endAnswer(): Promise<void> {
    if (!this.#isAnswering) return;
    this.#isAnswering = false;
    await this.#write(this.#markdown.finish());
  }

  async tool(text: string): Promise<void> {
    await this.#write(this.#isAtLineStart ? text : `\n${text}`);
  }

  async raw(bytes: Buffer): Promise<void> {
    await this.#write(bytes);
  }

  split(chunkBytes: number): void {
    this.#chunkBytes = chunkBytes;
  }

  async #write(content: string | Buffer): Promise<void> {
    const bytes = Buffer.from(content);
    if (bytes.length === 0) return;
    this.#isAtLineStart = bytes.at(-1) === 0x0a;
    await writeOut(bytes, this.#chunkBytes);
  }
}

/** Pieces are separate writes with a pause of the event loop between, so that a reader can see each. */
export async function writeOut(bytes: Buffer, chunkBytes = 0): Promise<void> {
  const size = chunkBytes > 0 ? chunkBytes : bytes.length;
  for (let start = 0; start < bytes.length; start += size) {
    const isTaken = process.stdout.write(bytes.subarray(start, start + size));
    if (!isTaken) await once(process.stdout, "drain");
    if (size < bytes.length) await new Promise((resolve) => setImmediate(resolve));
  }
}

/** The style a turn's text has by engine, setting and profile. */
export function textStyle(context: Context, engine: Engine): TextStyle {
  return {
    engine,
    rendersMarkdown:
      engine === "v1" && context.settings.get("chat.disableMarkdownRendering") !== true,
    chunkBytes: context.profile.chunkBytes,
  };
}
