import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createKeyFile } from "./key-file.ts";
import { createVault, type Vault, VALUE_BYTES_MAX } from "./vault.ts";

const PROGRAM = join(import.meta.dirname, "../../test/support/vault-program.ts");
const CANARY = "canary-7f3a9c51-value";
const { signal } = new AbortController();

let directory: string;
let vault: Vault;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "cg-vault-"));
  vault = open();
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function open(now?: () => Date): Vault {
  const places = [createKeyFile(join(directory, "key"))];
  return createVault({ directory, places, ...(now === undefined ? {} : { now }) });
}

async function read(name: `secret/${string}` | `login/${string}`): Promise<string | undefined> {
  const value = await vault.read(name, signal);
  return value === undefined ? undefined : Buffer.from(value).toString();
}

function filesBelow(path: string): string[] {
  const entries = readdirSync(path, { withFileTypes: true, recursive: true });
  return entries.filter((each) => each.isFile()).map((each) => join(each.parentPath, each.name));
}

async function program(...words: readonly string[]): Promise<string> {
  const child = spawn(process.execPath, [PROGRAM, directory, "file", ...words], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  child.stdout.on("data", (bytes) => (text += bytes));
  const [code] = await once(child, "close");
  expect(code).toBe(0);
  return text;
}

describe("a vault", () => {
  test("gives back what it was given, byte for byte, to this process and to others", async () => {
    const values = [new Uint8Array(), Buffer.from([0, 255, 10]), Buffer.from(CANARY)];
    for (const value of values) {
      await vault.write("secret/key", value, signal);
      expect(Buffer.from((await open().read("secret/key", signal))!)).toEqual(Buffer.from(value));
    }
    expect(JSON.parse(await program("report"))).toMatchObject({
      values: { "secret/key": CANARY },
    });
    expect(await vault.read("secret/other", signal)).toBeUndefined();
  });

  test("takes a value of its greatest size, and refuses a greater one", async () => {
    const value = Buffer.alloc(VALUE_BYTES_MAX, 7);
    await vault.write("login/large", value, signal);
    expect(Buffer.compare((await vault.read("login/large", signal))!, value)).toBe(0);
    await expect(
      vault.write("login/large", Buffer.alloc(VALUE_BYTES_MAX + 1), signal),
    ).rejects.toMatchObject({ code: "SECRET_INVALID" });
  });

  test("lists what it holds with kind, size and time, and needs no key for that", async () => {
    const now = new Date("2026-01-02T03:04:05.678Z");
    vault = open(() => now);
    await vault.write("login/agent/work", Buffer.from("123"), signal);
    await vault.write("secret/b", Buffer.from("12345"), signal);
    await vault.write("secret/A.b_c-d@e", Buffer.from(""), signal);
    rmSync(join(directory, "key"));
    const changedAt = now.toISOString();
    expect(await vault.list()).toEqual([
      { name: "secret/A.b_c-d@e", kind: "secret", bytes: 0, changedAt },
      { name: "secret/b", kind: "secret", bytes: 5, changedAt },
      { name: "login/agent/work", kind: "login", bytes: 3, changedAt },
    ]);
  });

  test("removes for good, once", async () => {
    await vault.write("secret/a", Buffer.from("x"), signal);
    expect(await vault.remove("secret/a", signal)).toBe(true);
    expect(await vault.remove("secret/a", signal)).toBe(false);
    expect(await vault.list()).toEqual([]);
    expect(filesBelow(join(directory, "locks"))).toEqual([join(directory, "locks/.key")]);
  });

  test.each(["secret/", "secret/../x", "secret/.x", "other/x", "secret/a//b", "secret/a b", "x"])(
    "refuses the name %j",
    async (name) => {
      const wanted = { code: "SECRET_INVALID" };
      await expect(vault.read(name as never, signal)).rejects.toMatchObject(wanted);
      await expect(vault.write(name as never, Buffer.alloc(1), signal)).rejects.toMatchObject(
        wanted,
      );
    },
  );

  test("writes no value in clear, and every file for its owner alone", async () => {
    await vault.write("secret/a", Buffer.from(CANARY), signal);
    const files = filesBelow(directory);
    expect(files.filter((path) => readFileSync(path).includes(CANARY))).toEqual([]);
    expect(files.filter((path) => (statSync(path).mode & 0o777) !== 0o600)).toEqual([]);
    expect(readFileSync(join(directory, "key"), "utf8")).toContain('"keys"');
  });
});

describe("a vault whose files were changed", () => {
  beforeEach(async () => {
    await vault.write("secret/a", Buffer.from(CANARY), signal);
    await vault.write("secret/b", Buffer.from("other"), signal);
  });

  test("refuses a value of which any byte is another, or missing", async () => {
    const path = join(directory, "secret/a");
    const whole = readFileSync(path);
    const refused = { code: expect.stringMatching(/^VAULT_(CORRUPT|KEY_LOST|TOO_NEW)$/) };
    await fc.assert(
      fc.asyncProperty(
        fc.nat(whole.length - 1),
        fc.integer({ min: 1, max: 255 }),
        async (at, x) => {
          const changed = Buffer.from(whole);
          changed[at] = changed[at]! ^ x;
          writeFileSync(path, changed);
          await expect(vault.read("secret/a", signal)).rejects.toMatchObject(refused);
          writeFileSync(path, whole.subarray(0, at));
          await expect(vault.read("secret/a", signal)).rejects.toMatchObject(refused);
        },
      ),
      { numRuns: 60 },
    );
    writeFileSync(path, whole);
    expect(await read("secret/a")).toBe(CANARY);
  });

  test("refuses one value in another's place, and still lists and removes it", async () => {
    copyFileSync(join(directory, "secret/b"), join(directory, "secret/a"));
    await expect(read("secret/a")).rejects.toMatchObject({ code: "VAULT_CORRUPT" });
    writeFileSync(join(directory, "secret/b"), "short");
    const [, b] = await vault.list();
    expect(b).toMatchObject({ name: "secret/b", problem: { code: "VAULT_CORRUPT" } });
    expect(await vault.remove("secret/b", signal)).toBe(true);
  });

  test("passes over what is no value of its own", async () => {
    writeFileSync(join(directory, "secret/.a.new"), "half");
    writeFileSync(join(directory, "secret/a%"), "");
    writeFileSync(join(directory, "secret/a b"), "");
    expect((await vault.list()).map(({ name }) => name)).toEqual(["secret/a", "secret/b"]);
  });

  test("refuses a vault of a later program, whatever is asked, and changes nothing", async () => {
    const before = readFileSync(join(directory, "secret/a"));
    writeFileSync(join(directory, "vault.json"), '{"version":2,"new":"things"}');
    const refused = { code: "VAULT_TOO_NEW" };
    await expect(read("secret/a")).rejects.toMatchObject(refused);
    await expect(vault.write("secret/a", Buffer.from("x"), signal)).rejects.toMatchObject(refused);
    await expect(vault.remove("secret/a", signal)).rejects.toMatchObject(refused);
    await expect(vault.rotate(undefined, signal)).rejects.toMatchObject(refused);
    expect(readFileSync(join(directory, "secret/a"))).toEqual(before);
  });

  test.each(["", "{", "{}", '{"version":1,"keyPlace":"moon","currentKey":"0"}'])(
    "refuses %j as its own file",
    async (text) => {
      writeFileSync(join(directory, "vault.json"), text);
      await expect(read("secret/a")).rejects.toMatchObject({ code: "VAULT_CORRUPT" });
    },
  );
});

describe("the key of a vault", () => {
  beforeEach(() => vault.write("secret/a", Buffer.from(CANARY), signal));

  test("that is lost is told with what to do, on reading and on writing", async () => {
    rmSync(join(directory, "key"));
    const lost = { code: "VAULT_KEY_LOST", hint: expect.stringContaining("secret rm") };
    await expect(read("secret/a")).rejects.toMatchObject(lost);
    await expect(vault.write("secret/b", Buffer.from("x"), signal)).rejects.toMatchObject(lost);
    await expect(vault.rotate(undefined, signal)).rejects.toMatchObject(lost);
  });

  test("is made anew once nothing is left that the lost one sealed", async () => {
    rmSync(join(directory, "key"));
    await vault.remove("secret/a", signal);
    await vault.write("secret/a", Buffer.from("new"), signal);
    expect(await read("secret/a")).toBe("new");
  });

  test("of another vault opens nothing", async () => {
    const other = mkdtempSync(join(directory, "other-"));
    const places = [createKeyFile(join(other, "key"))];
    await createVault({ directory: other, places }).write("secret/a", Buffer.from("x"), signal);
    copyFileSync(join(other, "key"), join(directory, "key"));
    await expect(read("secret/a")).rejects.toMatchObject({ code: "VAULT_KEY_LOST" });
  });

  test("is not taken from a file that others can read, or that holds something else", async () => {
    const path = join(directory, "key");
    chmodSync(path, 0o640);
    await expect(read("secret/a")).rejects.toMatchObject({ code: "VAULT_KEY_UNAVAILABLE" });
    chmodSync(path, 0o600);
    expect(await read("secret/a")).toBe(CANARY);
    const secret = readFileSync(path, "utf8").slice(0, 60);
    writeFileSync(path, secret);
    const error = await read("secret/a").catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "VAULT_KEY_LOST" });
    expect(JSON.stringify(error) + String(error)).not.toContain(secret);
  });
});

describe("an update", () => {
  test("sees what is there, and writes, leaves or removes it", async () => {
    const seen: unknown[] = [];
    for (const next of [Buffer.from("1"), undefined, null, undefined]) {
      await vault.update(
        "login/x",
        async (current) => {
          seen.push(current && Buffer.from(current).toString());
          return next;
        },
        signal,
      );
    }
    expect(seen).toEqual([undefined, "1", "1", undefined]);
  });

  test("keeps every other writer of the name waiting, and nobody of another name", async () => {
    const order: string[] = [];
    const { promise: go, resolve } = Promise.withResolvers<void>();
    const { promise: began, resolve: begin } = Promise.withResolvers<void>();
    const slow = vault.update(
      "login/x",
      async () => {
        begin();
        await go;
        order.push("update");
        return Buffer.from("1");
      },
      signal,
    );
    await began;
    await vault.write("login/y", Buffer.from("2"), signal);
    order.push("other");
    const write = open().write("login/x", Buffer.from("3"), signal);
    void write.then(() => order.push("write"));
    const impatient = vault.write("login/x", Buffer.from("4"), AbortSignal.timeout(20));
    await expect(impatient).rejects.toMatchObject({ name: "TimeoutError" });
    resolve();
    await Promise.all([slow, write]);
    expect([order, await read("login/x")]).toEqual([["other", "update", "write"], "3"]);
  });

  test("that fails changes nothing, and lets the next one in", async () => {
    await vault.write("login/x", Buffer.from("1"), signal);
    const failing = vault.update("login/x", () => Promise.reject(new TypeError("no")), signal);
    await expect(failing).rejects.toThrow(TypeError);
    await vault.write("login/x", Buffer.from("2"), signal);
    expect(await read("login/x")).toBe("2");
  });
});
