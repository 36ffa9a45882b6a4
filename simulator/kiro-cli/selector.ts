import { CommandFailure, QuietExit } from "./failure.ts";
import { ESCAPE_WAIT_MS, readKeys } from "./keys.ts";
import type { Key } from "./keys.ts";

export interface Choice {
  prompt: string;
  rows: readonly string[];
  /** Message of the failure when the person leaves without choosing. */
  cancelled: string;
}

/**
 * A menu worked with arrow keys in raw mode. Without a terminal on stdout it silently takes the
 * first row, as the program it stands in for does.
 */
export async function select(choice: Choice): Promise<number> {
  if (!process.stdout.isTTY) return 0;
  if (!process.stdin.isTTY) throw new CommandFailure("IO error: not a terminal");
  const { stdin, stdout } = process;
  // Raw before anything is drawn: a key pressed at the first sight of the menu is already a key.
  stdin.setRawMode(true);
  let current = 0;
  stdout.write(`\u001b[?25l${renderPrompt("\u001b[33m?", choice.prompt, "›")}\n`);
  stdout.write(renderRows(choice.rows, current));
  const end = await followKeys((key) => {
    if (key !== "up" && key !== "down") return key !== "other";
    const count = choice.rows.length;
    current = (current + (key === "up" ? count - 1 : 1)) % count;
    stdout.write(`\u001b[${String(count)}A${renderRows(choice.rows, current)}`);
    return false;
  });
  stdout.write(`\u001b[${String(choice.rows.length + 1)}A\u001b[J\u001b[?25h`);
  if (end === "interrupt") throw new QuietExit(1);
  if (end === "escape") throw new CommandFailure(choice.cancelled);
  const chosen = `\u001b[32m${choice.rows[current] ?? ""}\u001b[0m`;
  stdout.write(`${renderPrompt("\u001b[32m✔", choice.prompt, "·")} ${chosen}\n`);
  return current;
}

function renderPrompt(mark: string, prompt: string, suffix: string): string {
  return `${mark}\u001b[0m \u001b[1m${prompt}\u001b[0m \u001b[90m${suffix}\u001b[0m`;
}

function renderRows(rows: readonly string[], current: number): string {
  return rows
    .map((row, index) =>
      index === current
        ? `\u001b[2K\u001b[32m❯ \u001b[0m\u001b[36m${row}\u001b[0m\n`
        : `\u001b[2K  ${row}\n`,
    )
    .join("");
}

/** Reads keys until `isEnd` takes one, which it returns; raw mode ends with it. */
async function followKeys(isEnd: (key: Key) => boolean): Promise<Key> {
  const { stdin } = process;
  const { promise, resolve } = Promise.withResolvers<Key>();
  let held = "";
  let timer: NodeJS.Timeout | undefined;
  const feed = (keys: readonly Key[]): void => {
    const end = keys.find(isEnd);
    if (end !== undefined) resolve(end);
  };
  const onData = (bytes: Buffer): void => {
    clearTimeout(timer);
    const { keys, rest } = readKeys(held + bytes.toString("latin1"));
    held = rest;
    feed(keys);
    if (rest !== "") timer = setTimeout(() => feed(["escape"]), ESCAPE_WAIT_MS);
  };
  const onEnd = (): void => resolve("interrupt");
  stdin.on("data", onData).once("end", onEnd);
  stdin.resume();
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    stdin.off("data", onData).off("end", onEnd);
    stdin.setRawMode(false);
    stdin.pause();
  }
}
