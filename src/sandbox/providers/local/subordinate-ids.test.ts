import { userInfo } from "node:os";
import { expect, test } from "vitest";
import { freeRange, rangeOf, rangeRemedy } from "./subordinate-ids.ts";

const TEXT = "# people\nada:100000:65536\n1003:231072:1000\n1003:300000:65536\nbob:165536:65536\n";

test("a range is an account's by its name or number, and large enough", () => {
  expect(rangeOf(TEXT, ["ada", "1001"])).toBe(100_000);
  expect(rangeOf(TEXT, ["eve", "1003"])).toBe(300_000);
  expect(rangeOf(TEXT, ["eve", "1004"])).toBeUndefined();
  expect(rangeOf("", ["ada"])).toBeUndefined();
});

test("a new range begins behind all that somebody has", () => {
  expect(freeRange("")).toBe(100_000);
  expect(freeRange(TEXT)).toBe(365_536);
  expect(freeRange("broken\n:::\nroot:5:10\n")).toBe(100_000);
});

test("the remedy is a command to paste, for this account", () => {
  const { username } = userInfo();
  expect(rangeRemedy()).toMatch(
    new RegExp(`usermod --add-subuids (\\d+)-(\\d+) --add-subgids \\1-\\2 ${username}\`\\.$`),
  );
});
