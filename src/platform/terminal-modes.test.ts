import { expect, test } from "vitest";
import { TerminalModes } from "./terminal-modes.ts";

function undoAfter(output: string, size = output.length): string {
  const modes = new TerminalModes();
  for (let at = 0; at < output.length; at += size) {
    modes.push(Buffer.from(output.slice(at, at + size), "latin1"));
  }
  return modes.undo();
}

test.each([
  ["plain text needs nothing", "hello\r\n", ""],
  ["a program that tidies up needs nothing", "\x1b[?1049h\x1b[?25lx\x1b[?25h\x1b[?1049l", ""],
  ["the alternate screen is left", "\x1b[?1049hmenu", "\x1b[?1049l"],
  ["a hidden cursor is shown", "\x1b[?25l", "\x1b[?25h"],
  ["several modes in one sequence", "\x1b[?1000;1006h", "\x1b[?1006l\x1b[?1000l"],
  ["bracketed paste ends", "\x1b[?2004h> ", "\x1b[?2004l"],
  ["the keypad is normal again", "\x1b=", "\x1b>"],
  ["colours end", "\x1b[1;31mred", "\x1b[0m"],
  ["colours that ended need nothing", "\x1b[1;31mred\x1b[0m", ""],
  ["a broken sequence hides nothing behind it", "\x1b\x1b[?25l", "\x1b[?25h"],
])("%s", (_title, output, undo) => {
  expect(undoAfter(output)).toBe(undo);
  expect(undoAfter(output, 1)).toBe(undo);
});
