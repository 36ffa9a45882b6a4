import { expect, test } from "vitest";
import { CattlegridError } from "../errors/error.ts";
import { findMirror, formatMirror, parseMirrors } from "./mirrors.ts";
import type { HostName } from "./host-name.ts";

test("a list of mirrors is read, with spaces and an empty end", () => {
  const mirrors = parseMirrors("CLI.kiro.example:443=127.0.0.1:8443, b.example:80=[::1]:8080,");
  expect([...mirrors]).toEqual([
    ["cli.kiro.example:443", { address: "127.0.0.1", port: 8443 }],
    ["b.example:80", { address: "::1", port: 8080 }],
  ]);
  const place = { name: "b.example" as HostName, port: 80 };
  expect(formatMirror(findMirror(mirrors, place)!)).toBe("[::1]:8080");
  expect(findMirror(mirrors, { ...place, port: 443 })).toBeUndefined();
});

test("an empty text is no mirrors", () => {
  expect(parseMirrors("").size).toBe(0);
});

test.each([
  ["a.example", "name:port=address:port"],
  ["a.example=127.0.0.1:80", "is not name:port"],
  ["a.example:443=127.0.0.1", "is not address:port"],
  ["a.example:443=127.0.0.1:99999", "is not address:port"],
  ["a.example:443=b.example:443", "is not an IP address"],
  ["a.example:443=127.1:443", "is not an IP address"],
  ["*.example:443=127.0.0.1:80", "cannot be part"],
  ["a b.example:443=127.0.0.1:80", "cannot be part"],
  ["a.example:443-444=127.0.0.1:80", "is not name:port"],
  ["a.example:443=127.0.0.1:80=1", "name:port=address:port"],
  ["a.example:443=127.0.0.1:80,A.example.:443=127.0.0.1:81", "given twice"],
])("%j is refused: %s", (text, problem) => {
  let failure: unknown;
  try {
    parseMirrors(text);
  } catch (error) {
    failure = error;
  }
  expect(CattlegridError.is(failure, "MIRROR_INVALID") && failure.message).toContain(problem);
});
