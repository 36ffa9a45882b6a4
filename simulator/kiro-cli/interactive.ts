import { createInterface } from "node:readline";
import type { Interface } from "node:readline";
import { reportTelemetry } from "./context.ts";
import type { ToolCall } from "./conversation.ts";
import type { Engine } from "./profile.ts";
import { runSlashCommand } from "./slash.ts";
import { confirmTrust } from "./trust-screen.ts";
import { runTurn } from "./turn.ts";
import type { Turn } from "./turn.ts";
import { TextView, textStyle } from "./view.ts";

type Chat = Omit<Turn, "view" | "approve" | "signal"> & {
  engine: Engine;
  /** First prompt, given on the command line. */
  prompt: string | undefined;
};

const PROMPT = "\u001b[38;5;141m> \u001b[0m";
const GREETING = `
  Kiro CLI simulator: a stand-in for trying out and testing, not Kiro.
  /quit or Ctrl+D ends it, Ctrl+C cancels a turn.

`;

/** The classic prompt loop: reads lines, streams answers, until /quit or the end of input. */
export async function chatInteractively(chat: Chat): Promise<void> {
  const { context } = chat;
  const isConfirmed = context.settings.get("chat.disableTrustAllConfirmation") === true;
  if (chat.trust === "all" && !isConfirmed) await confirmTrust();
  if (context.settings.get("chat.greeting.enabled") !== false) process.stdout.write(GREETING);
  const reader = new LineReader();
  let line = chat.prompt ?? (await reader.read(PROMPT));
  while (line !== undefined) {
    if ((await answer(chat, reader, line.trim())) === "quit") break;
    line = await reader.read(PROMPT);
  }
  await reportTelemetry(context, "chat");
}

async function answer(chat: Chat, reader: LineReader, line: string): Promise<"done" | "quit"> {
  if (line === "") return "done";
  if (line.startsWith("/")) return runSlashCommand(chat.context, chat.credentials, line);
  const abort = new AbortController();
  const onInterrupt = (): void => abort.abort();
  process.on("SIGINT", onInterrupt);
  try {
    const outcome = await runTurn(
      {
        ...chat,
        view: new TextView(textStyle(chat.context, chat.engine)),
        approve: (tool) => askApproval(reader, tool),
        signal: abort.signal,
      },
      line,
    );
    process.stdout.write(outcome === "interrupted" ? "^C\n\n" : "\n");
  } finally {
    process.off("SIGINT", onInterrupt);
  }
  return "done";
}

async function askApproval(reader: LineReader, tool: ToolCall): Promise<boolean> {
  process.stderr.write(
    `\nUsing tool: ${tool.name}\nAllow this action? Use 't' to trust (always allow) this tool for the session. [y/n/t]:\n\n`,
  );
  const reply = await reader.read(PROMPT);
  return reply === "y" || reply === "t";
}

/**
 * Lines of the terminal, one at a time. Between two reads the terminal is as it was, so that a turn's
 * Ctrl-C is a signal; lines that arrive together are kept for the next reads.
 */
class LineReader {
  readonly #lines: string[] = [];
  #hasEnded = false;

  /** Undefined at the end of input. */
  async read(prompt: string): Promise<string | undefined> {
    const kept = this.#lines.shift();
    if (kept !== undefined || this.#hasEnded) return kept;
    const reader = createInterface({
      input: process.stdin,
      output: process.stdout,
      prompt,
      historySize: 0,
    });
    try {
      return await this.#readWith(reader);
    } finally {
      reader.close();
    }
  }

  async #readWith(reader: Interface): Promise<string | undefined> {
    const { promise, resolve } = Promise.withResolvers<string | undefined>();
    let isResolved = false;
    reader.on("line", (line) => {
      if (isResolved) this.#lines.push(line);
      isResolved = true;
      resolve(line);
    });
    reader.on("close", () => {
      this.#hasEnded ||= !isResolved;
      resolve(undefined);
    });
    // At the prompt Ctrl-C clears the line; only Ctrl-D and /quit leave.
    reader.on("SIGINT", () => {
      reader.write(null, { ctrl: true, name: "e" });
      reader.write(null, { ctrl: true, name: "u" });
      process.stdout.write("\n(To exit the CLI, press Ctrl+D or type /quit)\n");
      reader.prompt();
    });
    reader.prompt();
    return promise;
  }
}
