import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createKeyFile } from "./key-file.ts";
import type { VaultName } from "./name.ts";
import { createVault, type Vault } from "./vault.ts";

const PROGRAM = join(import.meta.dirname, "../../test/support/vault-program.ts");
const CANARY = "canary-7f3a9c51-value";
const { signal } = new AbortController();

let directory: string;
let vault: Vault;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "cg-vault-"));
  vault = createVault({ directory, places: [createKeyFile(join(directory, "key"))] });
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

async function read(name: VaultName): Promise<string> {
  return Buffer.from((await vault.read(name, signal)) ?? []).toString();
}

async function program(...words: readonly string[]): Promise<void> {
  const argv = [PROGRAM, directory, "file", ...words];
  const child = spawn(process.execPath, argv, { stdio: ["ignore", "ignore", "inherit"] });
  expect(await once(child, "close")).toEqual([0, null]);
}

describe("a rotation", () => {
  const inode = (path: string): number => statSync(path).ino;
  const sealed = (): Buffer => readFileSync(join(directory, "secret/a"));

  test("seals everything with a new key, forgets the old one, and changes no value and no time", async () => {
    await vault.write("secret/a", Buffer.from(CANARY), signal);
    await vault.write("login/b", Buffer.from("bundle"), signal);
    const [before, key, old] = [await vault.list(), readFileSync(join(directory, "key")), sealed()];
    expect(await vault.rotate(undefined, signal)).toEqual({ sealed: 2, left: [] });
    expect([await read("secret/a"), await read("login/b")]).toEqual([CANARY, "bundle"]);
    expect(await vault.list()).toEqual(before);
    writeFileSync(join(directory, "secret/a"), old);
    await expect(read("secret/a")).rejects.toMatchObject({ code: "VAULT_KEY_LOST" });
    writeFileSync(join(directory, "key"), key);
    await expect(read("login/b")).rejects.toMatchObject({ code: "VAULT_KEY_LOST" });
  });

  test("leaves what cannot be read as it is, keeps its key, and says so", async () => {
    await vault.write("secret/a", Buffer.from(CANARY), signal);
    await vault.write("secret/b", Buffer.from("x"), signal);
    const whole = sealed();
    writeFileSync(join(directory, "secret/a"), whole.subarray(0, -1));
    expect(await vault.rotate(undefined, signal)).toEqual({ sealed: 1, left: ["secret/a"] });
    expect(await vault.describeKey()).toMatchObject({ place: "file", underEarlierKeys: 1 });
    writeFileSync(join(directory, "secret/a"), whole);
    expect([await read("secret/a"), await read("secret/b")]).toEqual([CANARY, "x"]);
  });

  test("killed at any moment loses nothing, and the next one finishes it", async () => {
    const names = Array.from({ length: 12 }, (_, index) => `secret/n${index}` as const);
    for (const name of names) await vault.write(name, Buffer.from(`value of ${name}`), signal);
    for (let round = 0; round < 5; round++) {
      const argv = [PROGRAM, directory, "file", "rotate-for-ever"];
      const child = spawn(process.execPath, argv, { stdio: ["ignore", "pipe", "inherit"] });
      await once(child.stdout, "data");
      // In the middle of a pass, and at another place in each round.
      const watched = join(directory, `secret/n${(round * 5) % names.length}`);
      const first = inode(watched);
      while (inode(watched) === first) await new Promise((next) => setImmediate(next));
      child.kill("SIGKILL");
      await once(child, "close");
      for (const name of names) expect(await read(name)).toBe(`value of ${name}`);
    }
    await vault.rotate(undefined, signal);
    expect(await vault.describeKey()).toMatchObject({ underEarlierKeys: 0 });
    const { keys } = JSON.parse(readFileSync(join(directory, "key"), "utf8")) as {
      keys: unknown[];
    };
    expect(keys).toHaveLength(1);
  });

  test("and writers at the same time lose nothing", async () => {
    await Promise.all([program("count", "40"), program("count", "40"), program("rotate")]);
    await Promise.all([program("rotate"), program("rotate"), program("count", "20")]);
    expect(await read("login/counter")).toBe("100");
    expect(await vault.describeKey()).toMatchObject({ underEarlierKeys: 0 });
  });
});
