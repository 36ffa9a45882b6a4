import fc from "fast-check";
import { expect, test } from "vitest";
import { WordFilter } from "./spoken-word.ts";

const TOKEN = "0123456789abcdef";

function hear(pieces: readonly Buffer[]): { output: string; words: string[] } {
  const filter = new WordFilter(TOKEN);
  const heard = pieces.map((piece) => filter.take(piece));
  const output = [...heard.flatMap((each) => each.output), filter.flush()];
  return {
    output: Buffer.concat(output).toString("latin1"),
    words: heard.flatMap((each) => each.words),
  };
}

test("what is said is taken out, and every other byte passes, however the stream is cut", () => {
  const anyBytes = fc.uint8Array({ maxLength: 200 });
  const parts = fc.array(fc.oneof(anyBytes, fc.constantFrom("found 7", "exit 0 7")), {
    maxLength: 8,
  });
  fc.assert(
    fc.property(parts, fc.array(fc.nat(300), { maxLength: 12 }), (script, cuts) => {
      const stream = Buffer.concat(
        script.map((part) =>
          typeof part === "string" ? Buffer.from(`\0${TOKEN} ${part};`) : Buffer.from(part),
        ),
      );
      const places = [0, ...cuts.filter((cut) => cut < stream.length), stream.length];
      const ordered = places.toSorted((left, right) => left - right);
      const pieces = ordered.slice(1).map((end, index) => stream.subarray(ordered[index], end));
      const passed = script.filter((part) => typeof part !== "string");
      const said = script.filter((part) => typeof part === "string");
      expect(hear(pieces)).toEqual({
        output: Buffer.concat(passed).toString("latin1"),
        words: said,
      });
    }),
  );
});

test("half a word at the end is the program's own", () => {
  const bytes = Buffer.from(`a\0${TOKEN} exi`);
  expect(hear([bytes])).toEqual({ output: bytes.toString("latin1"), words: [] });
});

test("a word that never ends is cut off", () => {
  const bytes = Buffer.from(`\0${TOKEN} ${"x".repeat(500)}`);
  expect(hear([bytes]).words).toHaveLength(1);
});
