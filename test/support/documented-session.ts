import { readFileSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dirname, "../..");

/** The indented blocks of a page, each as its lines without the indentation. */
export function readBlocks(page: string): string[][] {
  const blocks: string[][] = [];
  let current: string[] | undefined;
  for (const line of readFileSync(join(ROOT, page), "utf8").split("\n")) {
    if (line.startsWith("    ") && !line.trimStart().startsWith("- ")) {
      if (current === undefined) blocks.push((current = []));
      current.push(line.slice(4));
    } else if (line.trim() !== "") current = undefined;
  }
  return blocks;
}

/** The blocks that show a session: what follows `$ ` is typed, the rest is what comes of it. */
export function readSessions(page: string): string[] {
  return readBlocks(page)
    .filter(([first]) => first?.startsWith("$ ") === true)
    .map((lines) => `${lines.join("\n")}\n`);
}

/** A shell script that types each command of a session and shows it as the page does. */
export function toScript(session: string): string {
  const commands = session.split("\n").filter((line) => line.startsWith("$ "));
  return commands
    .map((line) => line.slice(2))
    .map(
      (command) => `printf '%s\\n' '$ ${command.replaceAll("'", String.raw`'\''`)}'\n${command}\n`,
    )
    .join("");
}
