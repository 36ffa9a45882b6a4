import { describe, expect, test } from "vitest";
import { DETACH_KEYS_DEFAULT, DetachKeys, parseDetachKeys } from "./detach-keys.ts";

describe("the keys that leave a session", () => {
  test.each([
    [DETACH_KEYS_DEFAULT, [0x10, 0x11]],
    ["ctrl-],d", [0x1d, 0x64]],
    ["CTRL-A", [1]],
    ["ctrl-@", [0]],
  ])("%s are the bytes %j", (text, bytes) => {
    expect(parseDetachKeys(text)).toEqual(bytes);
  });

  test.each([[""], ["ctrl-"], ["ctrl-p,"], ["ctrl-é"], ["word"]])("%j is no sequence", (text) => {
    expect(parseDetachKeys(text)).toBeUndefined();
  });

  test.each([
    ["text passes", ["hello"], "hello", false],
    ["the sequence leaves, and what follows stays out", ["ab\x10\x11cd"], "ab", true],
    ["it may come in pieces", ["a\x10", "\x11"], "a", true],
    ["its first key alone is held back", ["a\x10"], "a", false],
    ["and passes when another key follows", ["a\x10", "b"], "a\x10b", false],
    ["a repeated first key begins anew", ["\x10\x10\x11"], "\x10", true],
  ] as const)("%s", (...[, pieces, forwarded, isComplete]) => {
    const keys = new DetachKeys([0x10, 0x11]);
    const reads = pieces.map((piece) => keys.push(Buffer.from(piece)));
    expect(Buffer.concat(reads.map(({ forward }) => forward)).toString()).toBe(forwarded);
    expect(reads.at(-1)?.isComplete).toBe(isComplete);
  });
});
