import { describe, expect, test } from "vitest";
import { type ArgumentRule, resolveCommand } from "./argument-rule.ts";

const adapter = {
  command: ["agent", "chat", "--trust"],
  standaloneWords: ["login", "--version"],
};

describe("what runs", () => {
  const cases: [string, string[], ArgumentRule | undefined, string[], boolean][] = [
    ["nothing runs the default command", [], undefined, ["agent", "chat", "--trust"], false],
    ["nothing does so under every rule", [], "replace", ["agent", "chat", "--trust"], false],
    ["a flag is appended", ["-r"], undefined, ["agent", "chat", "--trust", "-r"], false],
    [
      "only the first argument decides",
      ["--resume", "word"],
      undefined,
      ["agent", "chat", "--trust", "--resume", "word"],
      false,
    ],
    ["a bare word replaces", ["settings", "-l"], undefined, ["agent", "settings", "-l"], false],
    ["an empty word is a bare word", [""], undefined, ["agent", ""], false],
    ["a lone hyphen is a flag", ["-"], undefined, ["agent", "chat", "--trust", "-"], false],
    ["a word that runs alone replaces", ["login", "-x"], undefined, ["agent", "login", "-x"], true],
    ["a flag that runs alone replaces", ["--version"], undefined, ["agent", "--version"], true],
    [
      "such a word in second place is nothing special",
      ["chat", "login"],
      undefined,
      ["agent", "chat", "login"],
      false,
    ],
    [
      "append adds a bare word",
      ["fix it"],
      "append",
      ["agent", "chat", "--trust", "fix it"],
      false,
    ],
    ["replace drops the defaults before a flag", ["-r"], "replace", ["agent", "-r"], false],
    [
      "a word that runs alone needs no sign-in when appended either",
      ["login"],
      "append",
      ["agent", "chat", "--trust", "login"],
      true,
    ],
  ];
  test.each(cases)("%s", (...[, args, rule, argv, isStandalone]) => {
    expect(resolveCommand(adapter, args, rule)).toEqual({ argv, isStandalone });
  });
});
