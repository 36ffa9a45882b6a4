import { createInterface } from "node:readline/promises";
import { QuietExit } from "./failure.ts";

/** Asks for one line; without a terminal the answer is what was given beforehand. */
export async function ask(prompt: string, given: string): Promise<string> {
  if (!process.stdin.isTTY || !process.stdout.isTTY) return "";
  const lines = createInterface({ input: process.stdin, output: process.stdout });
  lines.on("SIGINT", () => lines.close());
  try {
    const closed = new Promise<undefined>((resolve) =>
      lines.once("close", () => resolve(undefined)),
    );
    const question = lines.question(`\u001b[33m?\u001b[0m \u001b[1m${prompt}\u001b[0m › `);
    if (given !== "") lines.write(given);
    const answer = await Promise.race([question, closed]);
    if (answer === undefined) throw new QuietExit(1);
    return answer.trim();
  } finally {
    lines.close();
  }
}
