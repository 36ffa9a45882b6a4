import type { CattlegridError } from "../../errors/error.ts";

/** How the command line shows an error: what happened, its code, and what to do. */
export function renderError(error: CattlegridError): string {
  const [first = "", ...more] = error.message.trimEnd().split("\n");
  const lines = [`cattlegrid: ${first}`, ...more.map((line) => `  ${line}`)];
  lines.push(`  code: ${error.code}`);
  if (error.hint !== "") lines.push(`  hint: ${error.hint}`);
  return `${lines.map(makePrintable).join("\n")}\n`;
}

/** SECURITY: messages quote what agents, files and servers said; a terminal must not act on it. */
export function makePrintable(text: string): string {
  return text.replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, escape);
}

/** As `makePrintable`, and on one line: a name with a line feed in it must not look like another entry. */
export function makeOneLine(text: string): string {
  return makePrintable(text).replaceAll(/[\t\n\u2028\u2029]/g, escape);
}

function escape(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  return `\\x${code.toString(16).padStart(2, "0")}`;
}
