import fc from "fast-check";
import { expect, test } from "vitest";
import { createOutputWindow } from "./output-window.ts";

test("what fits into both halves is kept as it is, however it came", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 5 })), (chunks) => {
      const window = createOutputWindow(100);
      const whole = Buffer.concat(chunks).subarray(0, 200);
      window.push(whole);
      expect(window.read()).toEqual(whole);
    }),
  );
});

test("of more, the beginning and the end are kept, and the gap is named", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 10 }), (sizes) => {
      const window = createOutputWindow(3);
      const whole = Buffer.concat(
        sizes.map((size, index) => Buffer.alloc(size, 97 + (index % 26))),
      );
      for (let at = 0, index = 0; at < whole.length; at += sizes[index++]!) {
        window.push(whole.subarray(at, at + sizes[index]!));
      }
      const gap = `\n[${whole.length - 6} bytes are left out here]\n`;
      expect(window.read().toString()).toBe(
        `${whole.subarray(0, 3).toString()}${gap}${whole.subarray(-3).toString()}`,
      );
    }),
  );
});

test("a gigabyte in small pieces costs no more than the window", () => {
  const window = createOutputWindow(1024);
  const piece = Buffer.alloc(1024 * 1024, "x");
  for (let count = 0; count < 1024; count++) window.push(piece);
  expect(window.read().length).toBeLessThan(3000);
});
