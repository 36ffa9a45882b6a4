import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CattlegridError } from "../errors/error.ts";
import type { SecretReference } from "../protocol/secret.ts";
import { followReferences } from "./secret-references.ts";

const directory = mkdtempSync(join(tmpdir(), "cg-reference-"));
beforeAll(() => {
  writeFileSync(join(directory, "key"), "from a file\n");
  writeFileSync(join(directory, "lines"), "one\ntwo\n\n");
  writeFileSync(join(directory, "empty"), "\n");
  writeFileSync(join(directory, "large"), "x".repeat(70_000));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const environment = { PATH: process.env["PATH"], MINE: "from the shell", EMPTY: "" };

function follow(...references: readonly SecretReference[]): Promise<Record<string, string>> {
  const told = references.map((reference, index) => ({
    variable: `V${index}`,
    secret: "name",
    reference,
  }));
  const error = new CattlegridError("SECRET_UNRESOLVED", "x", { details: { references: told } });
  return followReferences(error, { environment });
}

const file = (name: string): SecretReference => ({ kind: "file", path: join(directory, name) });
const command = (text: string): SecretReference => ({ kind: "command", command: text });

describe("references", () => {
  test("are followed in the shell that calls, each for its variable", async () => {
    const found = await follow(
      { kind: "environment", variable: "MINE" },
      file("key"),
      file("lines"),
      command('printf "%s" "$MINE" | tr a-z A-Z'),
    );
    expect(found).toEqual({
      V0: "from the shell",
      V1: "from a file",
      V2: "one\ntwo\n",
      V3: "FROM THE SHELL",
    });
  });

  test.each<[string, SecretReference, string]>([
    ["an unset variable", { kind: "environment", variable: "NONE" }, "NONE is not set"],
    ["an empty variable", { kind: "environment", variable: "EMPTY" }, "it is empty"],
    ["no file", file("none"), "does not exist"],
    ["a directory", file("."), "no regular file"],
    ["an empty file", file("empty"), "it is empty"],
    ["a large file", file("large"), "too large"],
    ["a command that fails", command("echo canary-out; exit 7"), "ended with 7"],
    ["a command there is not", command("/none/at/all 2>/dev/null"), "ended with 127"],
    ["a command that prints nothing", command("true"), "it is empty"],
    ["a command that prints for ever", command("yes canary 2>/dev/null"), "prints too much"],
    ["a command that prints a NUL", command(String.raw`printf 'canary\0'`), "not text"],
  ])("to %s are told with the secret's name and no value", async (_title, reference, why) => {
    const error = await follow(reference).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "SECRET_UNRESOLVED" });
    const { message } = error as Error;
    expect(message).toContain("The secret name cannot be got");
    expect(message).toContain(why);
    expect(message).not.toContain("canary");
  });

  test("that are not what failed leave the failure as it was", async () => {
    const other = new CattlegridError("SANDBOX_NOT_FOUND", "x");
    await expect(followReferences(other)).rejects.toBe(other);
  });
});
