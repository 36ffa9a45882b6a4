import { isUtf8 } from "node:buffer";
import { createInterface, type Interface } from "node:readline";
import { type Readable, Writable } from "node:stream";
import { CattlegridError } from "../../errors/error.ts";
import type { Caller } from "../caller.ts";

/** Where the prompts of a chat come from. */
export interface PromptSource {
  readonly isInteractive: boolean;
  /** Reads ahead as far as it can without waiting for long, so that a bad prompt is refused before anything runs. */
  prepare(): Promise<void>;
  /** The next prompt; undefined when there are no more. */
  next(): Promise<string | undefined>;
  close(): void;
}

const HINT = "Send each prompt as one line of valid UTF-8 text.";

/** `--prompt TEXT`, each one a prompt. */
export function createGivenPrompts(texts: readonly string[]): PromptSource {
  const left = [...texts];
  return {
    isInteractive: false,
    async prepare() {
      if (texts.every((text) => text.trim() !== "")) return;
      throw new CattlegridError("PROMPT_EMPTY", "A prompt is empty.");
    },
    next: async () => left.shift(),
    close: () => undefined,
  };
}

/** Lines of standard input, each one a prompt. Empty lines are passed over. */
export function createPipedPrompts(input: Readable): PromptSource {
  const lines = readLines(input);
  let first: string | undefined;
  let isPrepared = false;
  const read = async (): Promise<string | undefined> => {
    const step = await lines.next();
    return step.done === true ? undefined : step.value;
  };
  return {
    isInteractive: false,
    async prepare() {
      first = await read();
      isPrepared = true;
      if (first === undefined) {
        throw new CattlegridError("PROMPT_EMPTY", "Standard input holds no prompt.");
      }
    },
    async next() {
      if (!isPrepared) return read();
      isPrepared = false;
      return first;
    },
    close: () => input.pause(),
  };
}

async function* readLines(input: Readable): AsyncGenerator<string, undefined> {
  let rest = Buffer.alloc(0);
  // A refused line is no failure of the stream, which leaving the loop would destroy.
  for await (const chunk of input.iterator({ destroyOnReturn: false })) {
    rest = Buffer.concat([rest, chunk as Buffer]);
    const end = rest.lastIndexOf(0x0a) + 1;
    // Everything that is there is looked at before the first line of it runs.
    const prompts = toPrompts(rest.subarray(0, end));
    rest = rest.subarray(end);
    yield* prompts;
  }
  yield* toPrompts(rest);
  return undefined;
}

function toPrompts(bytes: Buffer): string[] {
  if (!isUtf8(bytes)) {
    const message = "Standard input is not valid UTF-8 text.";
    throw new CattlegridError("PROMPT_INVALID", message, { hint: HINT });
  }
  const lines = bytes.toString("utf8").split("\n");
  return lines.map((line) => line.replace(/\r$/, "")).filter((line) => line.trim() !== "");
}

/**
 * A person at a terminal. The prompt is written to stderr, so that stdout carries nothing but the agent's bytes. While
 * a turn runs, what is typed is neither shown nor lost: it is there at the next prompt.
 */
export class TypedPrompts implements PromptSource {
  readonly isInteractive = true;
  readonly #lines: string[] = [];
  readonly #reader: Interface;
  readonly #screen: Screen;
  #isOver = false;
  #wake: (() => void) | undefined;

  constructor(caller: Caller, onInterrupt: () => void) {
    this.#screen = new Screen(caller);
    this.#reader = createInterface({
      input: caller.input,
      output: this.#screen,
      terminal: true,
      prompt: "> ",
    });
    this.#reader.on("line", (line) => {
      this.#lines.push(line);
      this.#wake?.();
    });
    this.#reader.on("SIGINT", onInterrupt);
    this.#reader.on("close", () => {
      this.#isOver = true;
      this.#wake?.();
    });
  }

  async prepare(): Promise<void> {}

  async next(): Promise<string | undefined> {
    for (;;) {
      const line = await this.#nextLine();
      if (line === undefined || line.trim() !== "") return line;
    }
  }

  /** Forgets the line that is being typed and asks again, under what is told. */
  askAgain(text: string): void {
    this.#reader.write(null, { ctrl: true, name: "e" });
    this.#reader.write(null, { ctrl: true, name: "u" });
    this.#screen.write(`\n${text}\n`);
    this.#reader.prompt();
  }

  close(): void {
    this.#isOver = true;
    this.#screen.isMuted = true;
    this.#reader.close();
    this.#wake?.();
  }

  async #nextLine(): Promise<string | undefined> {
    const kept = this.#lines.shift();
    this.#screen.isMuted = false;
    if (kept !== undefined) this.#screen.write(`> ${kept}\n`);
    else if (!this.#isOver) {
      this.#reader.prompt(true);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
    }
    this.#screen.isMuted = true;
    return kept ?? this.#lines.shift();
  }
}

/** The terminal as the line editor sees it: silent while the agent writes. */
class Screen extends Writable {
  readonly #caller: Caller;
  isMuted = true;

  constructor(caller: Caller) {
    super();
    this.#caller = caller;
  }

  get columns(): number {
    return this.#caller.errors.columns;
  }

  override _write(chunk: Uint8Array, _encoding: string, done: () => void): void {
    if (!this.isMuted) this.#caller.errors.write(chunk);
    done();
  }
}
