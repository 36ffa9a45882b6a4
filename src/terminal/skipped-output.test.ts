import { expect, test } from "vitest";
import { extractSettings } from "./skipped-output.ts";

const extract = (text: string): string => extractSettings(Buffer.from(text)).toString();

test("output that is skipped leaves the last setting of each mode, and the last colour", () => {
  const modes = "\x1b[?25lfoo\x1b[?1049hbar\x1b[?25h\x1b[?2004$p";
  expect(extract(`\x1b[31m${modes}\x1b[0mplain\x1b[1mbold\x1b[2J`)).toBe(
    "\x18\x1b[?1049h\x1b[?25h\x1b[1m",
  );
  expect(extract("nothing but text\n")).toBe("\x18\x1b[0m");
});
