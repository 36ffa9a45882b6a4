import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { program } from "../../test/support/requirement.ts";
import { readGitIdentity } from "./git-identity.ts";
import { runProcess } from "./process.ts";

const git = program("git");
const { signal } = new AbortController();
let home: string;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "cg-git-"));
});
afterEach(() => rmSync(home, { recursive: true }));

function environment(): Record<string, string | undefined> {
  return { PATH: process.env["PATH"], HOME: home, GIT_CONFIG_NOSYSTEM: "1" };
}

test.skipIf(!git.met)(git.title("the user's own name and address are read"), async () => {
  writeFileSync(join(home, ".gitconfig"), "[user]\n\tname = Ada L.\n\temail = ada@example.com\n");
  const found = await readGitIdentity(environment(), signal);
  expect(found).toEqual({ name: "Ada L.", email: "ada@example.com" });
});

test.skipIf(!git.met)(git.title("a repository's configuration is not"), async () => {
  await runProcess(["git", "init", "--quiet", home], {
    environment: { PATH: process.env["PATH"]! },
  });
  await runProcess(["git", "-C", home, "config", "user.name", "Mallory"], {});
  const pointed = { ...environment(), GIT_DIR: join(home, ".git") };
  expect(await readGitIdentity(pointed, signal)).toEqual({});
});

test("without git there is no identity", async () => {
  expect(await readGitIdentity({ PATH: home, HOME: home }, signal)).toEqual({});
});
