import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readEnvironment } from "./environment.ts";
import { listVariables } from "./environment-file.ts";

const own = { OWN: "mine", AGENT_KEY: "s3cret" };
let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "cg-env-"));
});
afterEach(() => rmSync(root, { recursive: true }));

async function read(text: string | Buffer, env: readonly string[] = []) {
  writeFileSync(join(root, "env"), text);
  const entries = await listVariables({ env, "env-file": ["env"] }, { directory: root });
  return readEnvironment(entries, own, new Set(["AGENT_KEY"]));
}

test("values are taken as they stand, comments and empty lines passed over", async () => {
  const text = "\uFEFF# comment\n\nA=1=2 # no comment\n  B='quoted'\r\nC=$A\nEMPTY=\nOWN\n";
  expect((await read(text)).environment).toEqual({
    A: "1=2 # no comment",
    B: "'quoted'",
    C: "$A",
    EMPTY: "",
    OWN: "mine",
  });
});

test("later lines win over earlier ones, and -e over both", async () => {
  const { environment } = await read("A=1\nA=2\nB=1\n", ["B=2"]);
  expect(environment).toEqual({ A: "2", B: "2" });
});

test("a credential's name takes the shell's own value, which is a secret", async () => {
  expect(await read("AGENT_KEY\n")).toEqual({ environment: {}, secrets: { AGENT_KEY: "s3cret" } });
});

test.each([
  ["a credential's value", "A=1\nAGENT_KEY=leaked\n", "env:2: AGENT_KEY is a credential"],
  ["a name with a space", "A B=1\n", 'env:1: "A B" is no name'],
  ["a name that is not set", "\nUNSET\n", "env:2: UNSET is not set"],
  ["what is no text", Buffer.from([0xff, 0x3d, 0x31]), "is not UTF-8 text"],
])("%s is refused with its line and without its value", async (_title, text, message) => {
  const reading = read(text);
  await expect(reading).rejects.toMatchObject({ code: "ENVIRONMENT_INVALID" });
  await expect(reading).rejects.toThrow(message);
  await expect(reading).rejects.not.toThrow("leaked");
});

test("a file that is not there is named", async () => {
  const reading = listVariables({ env: [], "env-file": ["absent"] }, { directory: root });
  await expect(reading).rejects.toThrow("absent of --env-file does not exist");
});
