import { asyncProperty, assert as check, array, constantFrom, integer, string } from "fast-check";
import { describe, expect, test } from "vitest";
import { Unicode11Addon } from "@xterm/addon-unicode11";
import headless from "@xterm/headless";
import type { TerminalSize } from "../protocol/process.ts";
import { HeadlessScreen } from "./headless-screen.ts";

const SIZE = { columns: 20, rows: 6 };

async function show(...parts: readonly Uint8Array[]): Promise<HeadlessScreen> {
  const screen = new HeadlessScreen(SIZE);
  for (const part of parts) await screen.write(part);
  return screen;
}

/** The bytes with which a new viewer begins, as text. */
async function paint(...parts: readonly (Uint8Array | string)[]): Promise<string> {
  const screen = await show(...parts.map((part) => Buffer.from(part)));
  const text = Buffer.from(screen.snapshot()).toString();
  screen.dispose();
  return text;
}

/** What a terminal shows once it has taken the bytes: every cell with its style, the cursor, the modes. */
async function view(size: TerminalSize, ...parts: readonly Uint8Array[]): Promise<unknown> {
  const { columns: cols, rows } = size;
  const terminal = new headless.Terminal({ cols, rows, allowProposedApi: true });
  terminal.loadAddon(new Unicode11Addon() as headless.ITerminalAddon);
  terminal.unicode.activeVersion = "11";
  // Links are not repainted: their text is.
  terminal.parser.registerOscHandler(8, () => true);
  for (const part of parts) await new Promise<void>((done) => terminal.write(part, done));
  const { type, cursorX, cursorY, length } = terminal.buffer.active;
  const lines = Array.from({ length }, (_, y) =>
    Array.from({ length: cols }, (_cell, x) =>
      describeCell(terminal.buffer.active.getLine(y)?.getCell(x)),
    ),
  );
  const { modes } = terminal;
  terminal.dispose();
  return { type, cursorX, cursorY, lines, modes };
}

function describeCell(cell: headless.IBufferCell | undefined): string {
  if (cell === undefined) return "";
  const colours = [
    cell.getFgColorMode(),
    cell.getFgColor(),
    cell.getBgColorMode(),
    cell.getBgColor(),
  ];
  const styles = [
    cell.isBold(),
    cell.isInverse(),
    cell.isUnderline(),
    cell.isItalic(),
    cell.isDim(),
  ];
  return `${cell.getChars() || " "} ${cell.getWidth()} ${[...colours, ...styles].join()}`;
}

/** A new viewer that joins after `before` and then gets `after` sees what one sees who was there all the time. */
async function expectSame(before: Uint8Array, after: Uint8Array): Promise<void> {
  const screen = await show(before);
  const snapshot = screen.snapshot();
  screen.dispose();
  expect(await view(SIZE, snapshot, after)).toEqual(await view(SIZE, before, after));
}

describe("a headless screen", () => {
  test.each([
    ["text, and where the cursor is", "one\r\ntwo\x1b[1;3H", "X"],
    ["lines that scrolled away", "1\r\n2\r\n3\r\n4\r\n5\r\n6\r\n7\r\n8\r\n9", "\r\n10"],
    [
      "colours and the style of what comes",
      "\x1b[1;31mred\x1b[48;2;1;2;3mdeep\x1b[0m \x1b[4m",
      "under",
    ],
    ["wide characters and accents", "漢字 e\u0301 🎉 ✅ é", "|"],
    [
      "the alternate screen over the main one",
      "main\x1b[?1049h\x1b[2;2Halternate",
      "\x1b[?1049l back",
    ],
    ["a hidden cursor", "\x1b[?25l", "x"],
    ["mouse reports and their encoding", "\x1b[?1002h\x1b[?1006h", "x"],
    ["bracketed paste, focus and cursor keys", "\x1b[?2004h\x1b[?1004h\x1b[?1h\x1b=", "x"],
    ["margins", "a\r\nb\x1b[2;4r\x1b[4;1H", "\n\nx"],
    ["the shape of the cursor", "\x1b[5 q", "x"],
    ["line drawing", "\x1b(0", "lqk"],
    ["the title", "\x1b]0;a title\x07", "x"],
    ["a sequence that is cut", "a\x1b[3", "1mred"],
    ["a title that is cut", "a\x1b]2;half a", " title\x07b"],
    ["a character that is cut", Buffer.from("漢").subarray(0, 2), Buffer.from("漢").subarray(2)],
  ])("repaints %s", async (_what, before, after) => {
    await expectSame(Buffer.from(before), Buffer.from(after));
  });

  test.each([
    ["a hidden cursor", "\x1b[?25l"],
    ["the mouse's encoding", "\x1b[?1006h"],
    ["bracketed paste", "\x1b[?2004h"],
    ["margins", "\x1b[2;4r"],
    ["the cursor's shape", "\x1b[5 q"],
    ["the title", "\x1b]2;t\x07"],
  ])("tells %s, and no longer once it is reset", async (_what, sequence) => {
    expect(await paint(sequence)).toContain(sequence);
    expect(
      await paint(sequence, "\x1bc").then((text) => text.replace("\x1b]2;t\x07", "")),
    ).not.toContain(sequence);
  });

  test("is the same for whoever joins between any two bytes", async () => {
    const pieces = constantFrom(
      "word ",
      "\r\n",
      "\n",
      "漢字",
      "🎉",
      "é",
      "\x1b[31m",
      "\x1b[0m",
      "\x1b[2J",
      "\x1b[H",
      "\x1b[3;5H",
      "\x1b[K",
      "\x1b[?1049h",
      "\x1b[?1049l\x1b[0m",
      "\x1b[?25l",
      "\x1b[?25h",
      "\x1b[?2004h",
      "\x1b]0;title\x07",
      "\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\",
      "\x1b[A",
      "\x1b[2C",
      "\x1bM",
    );
    const text = array(pieces, { maxLength: 30 }).map((parts) => Buffer.from(parts.join("")));
    await check(
      asyncProperty(text, integer({ min: 0, max: 400 }), async (bytes, at) => {
        await expectSame(bytes.subarray(0, at), bytes.subarray(at));
      }),
      { numRuns: 150, seed: 20261127 },
    );
  });

  test("takes any bytes whatever", async () => {
    await check(
      asyncProperty(array(string({ unit: "binary" })), async (parts) => {
        const bytes = Buffer.from(`\x1b[${parts.join("\x1b")}`, "latin1");
        expect((await paint(bytes)).length).toBeGreaterThanOrEqual(0);
      }),
      { numRuns: 50 },
    );
  });

  test("is repainted at its new size after it was resized", async () => {
    const screen = await show(Buffer.from("one\r\ntwo \x1b[32mgreen"));
    screen.resize({ columns: 40, rows: 8 });
    const snapshot = screen.snapshot();
    expect(await view(screen.size, snapshot)).toMatchObject({ cursorX: 9, cursorY: 1 });
    expect(screen.size).toEqual({ columns: 40, rows: 8 });
    expect(Buffer.from(snapshot).toString()).toContain("\x1b[32mgreen");
  });
});
