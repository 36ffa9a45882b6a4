import { describe, expect, test } from "vitest";
import type { CattlegridError } from "../../errors/error.ts";
import { parseChoice, parseCpus, parseDuration, parseMemory, parseOffset } from "./amount.ts";

describe("amounts on the command line", () => {
  test.each([
    ["512m", 512 * 1024 ** 2],
    ["8g", 8 * 1024 ** 3],
    ["1.5GiB", 1.5 * 1024 ** 3],
    ["64MB", 64 * 1024 ** 2],
    ["33554432", 33_554_432],
  ])("%s of memory are %i bytes", (text, bytes) => {
    expect(parseMemory(text, "--memory")).toBe(bytes);
  });

  test.each([
    ["90s", 90_000],
    ["15m", 900_000],
    ["1h", 3_600_000],
    ["500ms", 500],
    ["3", 3000],
  ])("%s are %i milliseconds", (text, durationMs) => {
    expect(parseDuration(text, "--turn-timeout")).toBe(durationMs);
  });

  test.each([
    ["memory", () => parseMemory("8 apples", "--memory")],
    ["memory without a number", () => parseMemory("g", "--memory")],
    ["a time", () => parseDuration("soon", "--turn-timeout")],
    ["no time at all", () => parseDuration("0s", "--turn-timeout")],
    ["more time than a timer holds", () => parseDuration("9999h", "--turn-timeout")],
    ["CPUs", () => parseCpus("-1", "--cpus")],
    ["no CPU", () => parseCpus("0", "--cpus")],
    ["an offset", () => parseOffset("1.5", "--offset")],
    ["a word of a list", () => parseChoice("xml", "--output", ["text", "json"])],
  ])("%s that is none is a mistake of usage", (_title, parse) => {
    expect(parse).toThrow(expect.objectContaining({ code: "USAGE" }) as CattlegridError);
  });

  test.each([
    ["--output", "jsn", "Did you mean `json`?"],
    ["--output", "xml", "See `cattlegrid --help`."],
    ["secret", "sett", "Did you mean `set`?"],
    ["secret", "make", "See `cattlegrid secret --help`."],
  ])("%s %s is told with what helps", (flag, text, hint) => {
    expect(() => parseChoice(text, flag, ["json", "set"])).toThrow(
      expect.objectContaining({ hint }) as CattlegridError,
    );
  });
});
