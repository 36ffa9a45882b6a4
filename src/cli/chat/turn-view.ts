import { guardOutput, type GuardedOutput } from "../output/guarded-output.ts";
import { CattlegridError } from "../../errors/error.ts";
import type { TurnEvent } from "../../protocol/session.ts";
import { type Caller, write } from "../caller.ts";
import { makeOneLine } from "../output/error-text.ts";

type ToolStart = Extract<TurnEvent, { type: "tool-start" }>;
type ToolEnd = Extract<TurnEvent, { type: "tool-end" }>;

const LINE_FEED = 0x0a;
const TOOL_CHARACTERS_MAX = 120;

/**
 * Writes one turn as it goes: its events as JSON Lines, or for a person. What an agent writes for people passes as it
 * is; of one that writes for programs, its messages go to stdout, and the tools it uses are told on stderr.
 */
export class TurnView {
  readonly #caller: Caller;
  readonly #output: "text" | "json";
  readonly #guarded: GuardedOutput;
  #isStructured = false;
  #lastByte = LINE_FEED;

  constructor(caller: Caller, output: "text" | "json") {
    this.#caller = caller;
    this.#output = output;
    this.#guarded = guardOutput(caller, { isAnswered: false });
  }

  get endsInLine(): boolean {
    return this.#lastByte !== LINE_FEED;
  }

  async show(event: TurnEvent): Promise<void> {
    const { output } = this.#caller;
    if (this.#output === "json") return this.#write(output, `${JSON.stringify(event)}\n`);
    if (event.type === "turn-start") this.#isStructured = event.structured;
    else if (event.type === "output-delta") await this.#showBytes(event);
    else if (event.type === "message-delta") await this.#showText(Buffer.from(event.text));
    else if (event.type === "tool-start") await this.#tell(describeTool(event));
    else if (event.type === "tool-end" && event.isError) await this.#tell(describeFailure(event));
  }

  async #showBytes({ stream, bytes }: TurnEvent & { type: "output-delta" }): Promise<void> {
    const decoded = Buffer.from(bytes, "base64");
    if (stream === "errors") await this.#write(this.#caller.errors, decoded, "errors");
    else if (!this.#isStructured) await this.#showText(decoded);
  }

  async #showText(bytes: Uint8Array): Promise<void> {
    this.#lastByte = bytes.at(-1) ?? this.#lastByte;
    await this.#write(this.#caller.output, bytes, "output");
  }

  async #tell(text: string): Promise<void> {
    await this.#write(this.#caller.errors, `${makeOneLine(text).slice(0, TOOL_CHARACTERS_MAX)}\n`);
  }

  /** `guard` is for what comes from inside. */
  async #write(
    stream: NodeJS.WritableStream,
    bytes: string | Uint8Array,
    guard?: "output" | "errors",
  ): Promise<void> {
    this.#caller.recorder?.output(Buffer.from(bytes));
    const shown = guard === undefined ? bytes : this.#guarded[guard](Buffer.from(bytes));
    const isTaken = await write(stream, shown);
    if (isTaken || stream === this.#caller.errors) return;
    throw new CattlegridError("INTERRUPTED", "Nobody reads standard output any more.");
  }
}

/** The command of a shell, which is what most tools run, else the whole input. */
function describeTool({ name, input }: ToolStart): string {
  const command = Object(input)["command"] as unknown;
  return `▸ ${name}: ${typeof command === "string" ? command : JSON.stringify(input)}`;
}

function describeFailure({ output }: ToolEnd): string {
  return `▸ failed: ${output.trim().split("\n").at(-1) ?? ""}`;
}
