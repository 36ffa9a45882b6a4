const ESCAPE = "\u001B";
const BELL = "\u0007";
/** Stands for "the line up to here was erased"; a private-use character that is removed from the text first. */
const ERASED = "\uE001";

const ERASE_LINE = new RegExp(String.raw`${ESCAPE}\[[12]K`, "g");
/** Operating system commands and the other strings, ended by BEL or ST, or cut off. */
const STRINGS = new RegExp(
  String.raw`${ESCAPE}[\]PX^_][^${BELL}${ESCAPE}]*(?:${BELL}|${ESCAPE}\\)?`,
  "g",
);
const CONTROL_SEQUENCES = new RegExp(String.raw`${ESCAPE}\[[0-?]*[ -/]*(?:[@-~]|$)`, "g");
const OTHER_ESCAPES = new RegExp(String.raw`${ESCAPE}[ -/]*(?:[0-~]|$)`, "g");
const OTHER_CONTROLS = /(?![\t\n\r])\p{Cc}/gu;

/**
 * What a person could read: no terminal sequences, and of a line that was drawn again only what stayed. Takes any
 * bytes: what is not UTF-8 becomes U+FFFD, and a sequence that was cut off disappears.
 */
export function toPlainText(written: Uint8Array | string): string {
  const text = typeof written === "string" ? written : Buffer.from(written).toString("utf8");
  return text
    .replaceAll(ERASED, "")
    .replace(ERASE_LINE, ERASED)
    .replace(STRINGS, "")
    .replace(CONTROL_SEQUENCES, "")
    .replace(OTHER_ESCAPES, "")
    .replace(OTHER_CONTROLS, "")
    .replace(/\r+\n/g, "\n")
    .split("\n")
    .map(settleLine)
    .join("\n");
}

function settleLine(line: string): string {
  if (!line.includes("\r") && !line.includes(ERASED)) return line;
  const remaining = line.slice(line.lastIndexOf(ERASED) + 1);
  return remaining.split("\r").findLast((segment) => segment !== "") ?? "";
}
