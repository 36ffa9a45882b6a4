import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { allOf, program } from "../../test/support/requirement.ts";
import { createKeyring } from "./keyring.ts";
import { createKeyFile } from "./key-file.ts";
import { createVault } from "./vault.ts";

const PROGRAM = join(import.meta.dirname, "../../test/support/vault-program.ts");
const { signal } = new AbortController();
const real = allOf(
  program("dbus-run-session"),
  program("dbus-send"),
  program("gnome-keyring-daemon"),
  program("secret-tool"),
);

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "cg-keyring-"));
  mkdirSync(join(root, "run"), { mode: 0o700 });
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** Runs a shell script in a session with a keyring, which is open unless `options` say otherwise; every trace of it is below `root`. */
async function inSession(script: string, options = "--unlock"): Promise<string> {
  const asks =
    "dbus-send --session --print-reply --dest=org.freedesktop.DBus /org/freedesktop/DBus";
  const owned = `${asks} org.freedesktop.DBus.NameHasOwner string:org.freedesktop.secrets`;
  const session = `
    printf open >"$HOME/password"
    gnome-keyring-daemon --foreground ${options} --components=secrets <"$HOME/password" >&2 &
    keyring=$!
    until ${owned} | grep -q true; do sleep 0.05; done
    ${script}
    code=$?
    kill $keyring
    wait $keyring
    exit $code`;
  const environment = {
    PATH: process.env["PATH"] ?? "",
    HOME: root,
    XDG_DATA_HOME: join(root, "data"),
    XDG_RUNTIME_DIR: join(root, "run"),
  };
  mkdirSync(environment.XDG_DATA_HOME, { recursive: true });
  const argv = ["--", "sh", "-c", session];
  const stdio = ["ignore", "pipe", "pipe"] as const;
  const child = spawn("dbus-run-session", argv, { env: environment, stdio: [...stdio] });
  let [output, errors] = ["", ""];
  child.stdout!.on("data", (bytes) => (output += bytes));
  child.stderr!.on("data", (bytes) => (errors += bytes));
  const [code] = await once(child, "close");
  expect({ code, errors: code === 0 ? "" : errors }).toEqual({ code: 0, errors: "" });
  return output;
}

function vaultProgram(...words: readonly string[]): string {
  return [process.execPath, PROGRAM, join(root, "vault"), "keyring", ...words]
    .map((word) => `'${word}'`)
    .join(" ");
}

function report(text: string): { values: unknown; key: { place: string } } {
  return JSON.parse(text.slice(text.indexOf("{"))) as never;
}

describe.skipIf(!real.met)(real.title("a real keyring"), () => {
  test("keeps the key, for later sessions too, and no file holds it", async () => {
    await inSession(vaultProgram("write", "hello"));
    expect(readdirSync(join(root, "vault")).sort()).not.toContain("key");
    const later = report(await inSession(vaultProgram("report")));
    expect(later).toMatchObject({ values: { "secret/a": "hello" }, key: { place: "keyring" } });
  });

  test("that is locked is told to be so, and is not taken for one that lost the key", async () => {
    await inSession(vaultProgram("write", "hello"));
    const script = `! ${vaultProgram("write", "other")} 2>"$HOME/errors"; cat "$HOME/errors"`;
    const told = await inSession(script, "");
    expect(told).toContain("VAULT_KEY_UNAVAILABLE");
    expect(told).toContain("it is locked");
    expect(report(await inSession(vaultProgram("report")))).toMatchObject({
      values: { "secret/a": "hello" },
    });
  });

  test("keeps it through a rotation; the key can be moved to a file, and be forgotten", async () => {
    const script = ["write hello", "rotate", "report"].map((words) =>
      vaultProgram(...words.split(" ")),
    );
    const rotated = report(await inSession(script.join(" && ")));
    expect(rotated).toMatchObject({ values: { "secret/a": "hello" }, key: { place: "keyring" } });
    const moved = await inSession(`${vaultProgram("rotate", "file")} && ${vaultProgram("report")}`);
    expect(report(moved)).toMatchObject({
      values: { "secret/a": "hello" },
      key: { place: "file" },
    });
    const forgotten = ["rotate", "destroy"].map((word) => vaultProgram(word)).join(" && ");
    await inSession(
      `${forgotten}; secret-tool search --all application cattlegrid 2>&1 | grep -q secret && exit 1; true`,
    );
  });
});

describe("where no keyring answers", () => {
  const nobody = { PATH: process.env["PATH"] ?? "", DBUS_SESSION_BUS_ADDRESS: "unix:path=/none" };

  test("a new vault keeps its key in a file, and says so", async () => {
    const keyring = createKeyring({ installation: "test", environment: nobody });
    expect(await keyring.refusal(signal)).toMatch(/./);
    const directory = join(root, "vault");
    const places = [keyring, createKeyFile(join(directory, "key"))];
    const vault = createVault({ directory, places });
    await vault.write("secret/a", Buffer.from("x"), signal);
    expect(await vault.describeKey()).toMatchObject({
      place: "file",
      title: join(directory, "key"),
    });
  });

  test("a key that is to be kept there, or is there, is told to be out of reach", async () => {
    const keyring = createKeyring({ installation: "test", environment: { PATH: "/none" } });
    const unavailable = { code: "VAULT_KEY_UNAVAILABLE", message: /secret-tool is not installed/ };
    await expect(keyring.load(signal)).rejects.toMatchObject({ code: unavailable.code });
    await expect(keyring.store("k", signal)).rejects.toThrow(unavailable.message);
    const places = [keyring, createKeyFile(join(root, "key"))];
    const vault = createVault({ directory: root, places });
    await expect(vault.rotate("keyring", signal)).rejects.toMatchObject({ code: unavailable.code });
  });
});
