import fc from "fast-check";
import { expect, test } from "vitest";
import { toPlainText } from "./plain-text.ts";

test.each([
  ["colours go", "\u001B[38;5;141m> \u001B[0mRed\n\u001B[1mBlue\u001B[22m", "> Red\nBlue"],
  ["cursor movement and modes go", "\u001B[?25lA\u001B[2;1HB\u001B[?25h", "AB"],
  ["titles and links go", "\u001B]0;title\u0007A\u001B]8;;https://x\u001B\\B", "AB"],
  ["a line drawn again is its last drawing", "\r▰▱ Logging\r▰▰ Logging", "▰▰ Logging"],
  ["an erased line leaves what follows", "Thinking...\u001B[2K\rDone", "Done"],
  ["a line that ends in CR LF stays", "one\r\ntwo\r\r\nthree", "one\ntwo\nthree"],
  ["a return at the end erases nothing", "spinner\r", "spinner"],
  ["a sequence that was cut off disappears", "text\u001B[38;5", "text"],
  ["a lone escape at the end disappears", "text\u001B", "text"],
  ["bells and backspaces go, tabs stay", "a\u0007\tb\b", "a\tb"],
])("%s", (_title, written, plain) => {
  expect(toPlainText(written)).toBe(plain);
  expect(toPlainText(Buffer.from(written))).toBe(plain);
});

test("bytes that are not UTF-8 become a replacement character", () => {
  expect(toPlainText(Buffer.from([0x61, 0xff, 0xe2, 0x82]))).toMatch(/^a\uFFFD+$/);
});

test("whatever comes in, no control character but tab and line feed comes out", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      expect(toPlainText(bytes)).not.toMatch(/(?![\t\n])\p{Cc}/u);
    }),
  );
});
