import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { endEntry, endTar, writeHeader } from "../platform/tar/tar-writer.ts";
import { BUNDLE_BYTES_MAX, readBundle, writeBundle } from "./bundle.ts";

const WANTED = ["data.sqlite3", "data.sqlite3-wal"];

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "cg-bundle-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** `tar -c . | zstd` of the folder, as one makes it by hand. */
function tarFolder(...options: string[]): Buffer {
  return zstdCompressSync(
    execFileSync("tar", [...options, "-C", folder, "-c", "."], { maxBuffer: 1 << 30 }),
  );
}

function file(name: string, bytes: Buffer): Buffer {
  const header = { name, mode: 0o600, sizeBytes: bytes.length, modifiedSeconds: 0, target: "" };
  return Buffer.concat([
    writeHeader({ ...header, type: "file" }),
    bytes,
    endEntry(bytes.length),
    endTar(),
  ]);
}

async function problemOf(bundle: Buffer): Promise<string> {
  const error = await readBundle(bundle, WANTED).catch((thrown: unknown) => thrown);
  if (!(error instanceof Error)) return "no problem";
  return `${(error as Error & { code: string }).code}: ${error.message}`;
}

describe("a bundle", () => {
  test("that was written is read as it was, by us and by tar", async () => {
    const files = new Map([["data.sqlite3", Buffer.from("database")]]);
    const bundle = writeBundle(files);
    expect(await readBundle(bundle, WANTED)).toEqual(files);
    execFileSync("tar", ["-C", folder, "-x"], { input: zstdDecompressSync(bundle) });
    expect(execFileSync("ls", ["-A", folder]).toString()).toBe("data.sqlite3\n");
  });

  test("that tar wrote gives what is wanted of it, with all else passed over", async () => {
    writeFileSync(join(folder, "data.sqlite3"), "database");
    writeFileSync(join(folder, "data.sqlite3-wal"), "log");
    mkdirSync(join(folder, "kas"));
    writeFileSync(join(folder, "kas/data.sqlite3"), "another");
    const found = await readBundle(tarFolder(), WANTED);
    expect([...found.keys()].toSorted()).toEqual(WANTED);
    expect(found.get("data.sqlite3")?.toString()).toBe("database");
  });

  test("may be in base64, as it fits into a text field", async () => {
    writeFileSync(join(folder, "data.sqlite3"), "database");
    const text = Buffer.from(tarFolder().toString("base64").replaceAll(/.{76}/g, "$&\n"));
    expect((await readBundle(text, WANTED)).get("data.sqlite3")?.toString()).toBe("database");
  });
});

describe("a bundle is refused whole", () => {
  test.each([
    ["with a name that leads upwards", "../data.sqlite3", "leads upwards"],
    ["with one that leads upwards further in", "./a/../../data.sqlite3", "leads upwards"],
    ["with a name at the root", "/root/.bashrc", "begins at the root"],
  ])("%s", async (_title, name, why) => {
    const bundle = zstdCompressSync(file(name, Buffer.from("x")));
    expect(await problemOf(bundle)).toMatch(new RegExp(`^BUNDLE_INVALID: .*${why}`));
  });

  test("with a symbolic link, wherever it leads, and shows nothing of its name that acts", async () => {
    writeFileSync(join(folder, "data.sqlite3"), "database");
    symlinkSync("/etc/passwd", join(folder, "a\u001b]0;b"));
    const problem = await problemOf(tarFolder());
    expect(problem).toMatch(/^BUNDLE_INVALID: .*is a link/);
    expect(problem).not.toContain("\u001b");
  });

  test("with a pipe, a hard link or a device", async () => {
    writeFileSync(join(folder, "data.sqlite3"), "database");
    execFileSync("mkfifo", [join(folder, "pipe")]);
    expect(await problemOf(tarFolder())).toMatch(/^BUNDLE_INVALID: .*device, a pipe/);
    rmSync(join(folder, "pipe"));
    execFileSync("ln", [join(folder, "data.sqlite3"), join(folder, "second")]);
    expect(await problemOf(tarFolder())).toMatch(/^BUNDLE_INVALID: .*hard link/);
  });

  test("with a file twice", async () => {
    const once = file("data.sqlite3", Buffer.from("x")).subarray(0, 1024);
    const bundle = zstdCompressSync(Buffer.concat([once, once, endTar()]));
    expect(await problemOf(bundle)).toMatch(/^BUNDLE_INVALID: .*twice/);
  });

  test("that ends early, at whatever byte", async () => {
    writeFileSync(join(folder, "data.sqlite3"), Buffer.alloc(100_000, "abc"));
    const bundle = tarFolder();
    for (const length of [0, 3, 4, 20, bundle.length >> 1, bundle.length - 1]) {
      expect(await problemOf(bundle.subarray(0, length))).toMatch(/^BUNDLE_INVALID/);
    }
  });

  test("that is no zstd, or no tar within", async () => {
    expect(await problemOf(Buffer.from("PK\u0003\u0004"))).toMatch(/not compressed by zstd/);
    const noise = zstdCompressSync(Buffer.alloc(2048, "noise"));
    expect(await problemOf(noise)).toMatch(/^BUNDLE_INVALID/);
  });

  test("that is a bomb: within what nobody wants, and within what is wanted", async () => {
    const zeros = Buffer.alloc(64 * 1024 * 1024);
    for (const name of ["junk", "data.sqlite3"]) {
      const bomb = zstdCompressSync(file(name, zeros));
      expect(bomb.length).toBeLessThan(64 * 1024);
      expect(await problemOf(bomb)).toMatch(/^BUNDLE_TOO_LARGE/);
    }
  });

  test("that is larger than a bundle may be", async () => {
    const large = Buffer.alloc(BUNDLE_BYTES_MAX + 1);
    zstdCompressSync(Buffer.from("x")).copy(large);
    expect(await problemOf(large)).toMatch(/^BUNDLE_TOO_LARGE/);
  });

  test("with more entries than a sign-in's directory has", async () => {
    const empty = file("junk", Buffer.alloc(0)).subarray(0, 512);
    const many = Buffer.concat([...Array.from({ length: 20_001 }, () => empty), endTar()]);
    expect(await problemOf(zstdCompressSync(many))).toMatch(/^BUNDLE_TOO_LARGE/);
  });
});
