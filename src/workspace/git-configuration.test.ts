import { describe, expect, test } from "vitest";
import { isHarmlessGitConfiguration } from "./git-configuration.ts";

const NEW = "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = false\n";
const CLONED = `${NEW}\tlogallrefupdates = true
[remote "origin"]
\turl = https://example.org/a/b.git
\tfetch = +refs/heads/*:refs/remotes/origin/*
[branch "main"]
\tremote = origin
\tmerge = refs/heads/main
[user]
\tname = Ada Lovelace
\temail = ada@example.org
`;

describe("a git configuration", () => {
  test.each([
    ["of a new repository", NEW],
    ["of a clone", CLONED],
    ["of a clone by ssh", CLONED.replace("https://example.org/a/b.git", "git@example.org:a/b.git")],
    ["that is empty", ""],
  ])("is harmless: one %s", (_, text) => {
    expect(isHarmlessGitConfiguration(text)).toBe(true);
  });

  test.each([
    ["hooks elsewhere", `${NEW}\thooksPath = tools\n`],
    ["a file system monitor", `${NEW}\tfsmonitor = ./evil\n`],
    ["a program for ssh", `${NEW}\tsshCommand = evil\n`],
    ["another file", `${NEW}[include]\n\tpath = x\n`],
    ["another file in one line", `${NEW}[include] path = x\n`],
    ["an alias", `${NEW}[alias]\n\tst = !evil\n`],
    ["a filter", `${NEW}[filter "x"]\n\tclean = evil\n`],
    ["a URL that runs a program", CLONED.replace("https://", "ext::sh -c ")],
    ["a URL that is an option", CLONED.replace("https://", "--upload-pack=")],
    ["a program behind a remote", `${CLONED}[remote "x"]\n\tuploadpack = evil\n`],
    ["a line that goes on", `${NEW}\tbare = false\\\n[include]\n`],
    ["a quoted value", `${NEW}\tbare = "false"\n`],
    ["a key in a section's line", "[core]fsmonitor = ./evil\n"],
    ["a carriage return", NEW.replace("\n", "\r\n")],
    ["more than is read", `${NEW}${"\n".repeat(20_000)}`],
  ])("is not: one with %s", (_, text) => {
    expect(isHarmlessGitConfiguration(text)).toBe(false);
  });
});
