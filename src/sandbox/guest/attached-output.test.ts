import { expect, test } from "vitest";
import { AttachedOutput } from "./attached-output.ts";

const PIECE = Buffer.alloc(50_000);

/** Gives `count` pieces, as fast as they are taken. */
function feed(count: number): AttachedOutput {
  let left = count;
  const output = new AttachedOutput(() => setImmediate(pump));
  const pump = (): void => {
    while (left > 0 && !output.isFull) {
      left -= 1;
      output.give(PIECE);
    }
    if (left === 0) output.finish();
  };
  pump();
  return output;
}

test("everything comes to a reader that is slower than the program", async () => {
  let received = 0;
  for await (const chunk of feed(100)) received += (chunk as Buffer).length;
  expect(received).toBe(100 * PIECE.length);
});

test("it is full when nobody reads, and not any more when whoever read has left", () => {
  const output = feed(100);
  expect(output.isFull).toBe(true);
  output.destroy();
  expect(output.isFull).toBe(false);
});
