import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { OrderedOutput } from "./ordered-output.ts";

function open(): { output: PassThrough; errors: PassThrough; ordered: OrderedOutput } {
  const [output, errors] = [new PassThrough(), new PassThrough()];
  return { output, errors, ordered: new OrderedOutput({ output, errors }) };
}

async function read(ordered: OrderedOutput): Promise<string[]> {
  return Array.fromAsync(ordered, ({ stream, bytes }) => `${stream} ${bytes.toString()}`);
}

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

test("both streams come in the order in which they were read, to the last byte of each", async () => {
  const { output, errors, ordered } = open();
  const all = read(ordered);
  for (const [stream, text] of [
    [output, "a"],
    [errors, "b"],
    [output, "c"],
  ] as const) {
    stream.write(text);
    await turn();
  }
  output.end();
  await turn();
  errors.end("d");
  expect(await all).toEqual(["output a", "errors b", "output c", "errors d"]);
});

test("what nobody reads holds the program up, and nothing of it is lost", async () => {
  const { output, errors, ordered } = open();
  const piece = Buffer.alloc(256 * 1024, "x");
  let written = 0;
  const write = async (): Promise<void> => {
    for (; written < 64; written++) {
      if (!output.write(piece)) await new Promise((resolve) => output.once("drain", resolve));
    }
    output.end();
  };
  const writing = write();
  for (let count = 0; count < 200; count++) await turn();
  expect(written).toBeLessThan(16);
  errors.end();
  let bytes = 0;
  for await (const chunk of ordered) bytes += chunk.bytes.length;
  await writing;
  expect(bytes).toBe(64 * piece.length);
});

test("a stream that breaks has ended", async () => {
  const { output, errors, ordered } = open();
  output.write("a");
  await turn();
  output.destroy(new Error("broken"));
  errors.end();
  expect(await read(ordered)).toEqual(["output a"]);
});
