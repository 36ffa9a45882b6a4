import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { TarEntry } from "./tar-entry.ts";
import { readTar } from "./tar-reader.ts";
import { endEntry, endTar, writeHeader } from "./tar-writer.ts";

interface Found {
  entry: TarEntry;
  text: string;
}

async function read(bytes: Buffer, chunkBytes = 700): Promise<Found[]> {
  async function* chunks(): AsyncGenerator<Buffer> {
    for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
  }
  const found: Found[] = [];
  for await (const { entry, content } of readTar(chunks())) {
    const parts: Buffer[] = [];
    for await (const part of content) parts.push(Buffer.from(part));
    found.push({ entry, text: Buffer.concat(parts).toString() });
  }
  return found;
}

async function problemOf(bytes: Buffer): Promise<string> {
  const error = await read(bytes).catch((thrown: unknown) => thrown as Error & { code?: string });
  return error instanceof Error ? `${error.code}: ${error.message}` : "no problem";
}

const FILE: TarEntry = {
  name: "a",
  type: "file",
  mode: 0o644,
  sizeBytes: 0,
  modifiedSeconds: 1,
  target: "",
};

function file(name: string, text: string, change: Partial<TarEntry> = {}): Buffer {
  const sizeBytes = Buffer.byteLength(text);
  const header = writeHeader({ ...FILE, name, sizeBytes, ...change, type: "file" });
  return Buffer.concat([header, Buffer.from(text), endEntry(sizeBytes)]);
}

/** A header as it stands, with a right checksum. */
function raw(change: (block: Buffer) => void): Buffer {
  const block = writeHeader({ ...FILE, type: "file" });
  change(block);
  block.fill(0x20, 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(7, "0")}\0`, 148, "latin1");
  return block;
}

const LONG = `${"directory/".repeat(30)}${"n".repeat(200)}`;

describe("what GNU tar writes", () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "cg-tar-"));
    mkdirSync(join(folder, LONG, ".."), { recursive: true });
    writeFileSync(join(folder, LONG), "deep\n", { mode: 0o640 });
    writeFileSync(join(folder, "plain"), "x".repeat(5000));
    writeFileSync(Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0xff, 0x0a])]), "bytes");
    symlinkSync("t".repeat(150), join(folder, "link"));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test.each(["gnu", "posix"])("in the form %s is read as it is", async (format) => {
    const { stdout } = spawnSync("tar", ["-cf", "-", `--format=${format}`, "-C", folder, "."]);
    const found = new Map((await read(stdout, 999)).map((each) => [each.entry.name, each]));
    expect(found.get(`./${LONG}`)).toMatchObject({
      text: "deep\n",
      entry: { type: "file", mode: 0o640, sizeBytes: 5 },
    });
    expect(found.get("./plain")?.text).toBe("x".repeat(5000));
    expect(found.get("./\xff\n")?.text).toBe("bytes");
    expect(found.get("./link")?.entry).toMatchObject({ type: "link", target: "t".repeat(150) });
    expect(found.get("./directory/")?.entry.type).toBe("directory");
  });

  test("and what we write, GNU tar lists", () => {
    const target = "t".repeat(150);
    const link = writeHeader({ ...FILE, name: "link", type: "link", target });
    const input = Buffer.concat([file(LONG, "deep"), link, endTar()]);
    const { stdout, status } = spawnSync("tar", ["-tvf", "-"], { input });
    expect(status).toBe(0);
    expect(stdout.toString()).toContain(LONG);
    expect(stdout.toString()).toContain(`link -> ${target}`);
  });
});

test("what is not read of a file is passed over", async () => {
  async function* source(): AsyncGenerator<Buffer> {
    yield Buffer.concat([file("a", "x".repeat(1500)), file("b", "rest"), endTar()]);
  }
  const names: string[] = [];
  for await (const { entry } of readTar(source())) names.push(entry.name);
  expect(names).toEqual(["a", "b"]);
});

test("set-user-id, set-group-id and sticky bits are neither read nor written", async () => {
  const written = file("a", "", { mode: 0o7755 });
  expect(written.toString("latin1", 100, 107)).toBe("0000755");
  const block = raw((bytes) => bytes.write("0007755\0", 100, "latin1"));
  expect((await read(Buffer.concat([block, endTar()])))[0]?.entry.mode).toBe(0o755);
});

const record = (text: string, kind = "x"): Buffer =>
  Buffer.concat([
    raw((block) => {
      block.write(kind, 156, "latin1");
      block.write(`${text.length.toString(8).padStart(11, "0")}\0`, 124, "latin1");
    }),
    Buffer.from(text, "latin1"),
    endEntry(text.length),
  ]);

test.each([
  ["that ends early", file("a", "text").subarray(0, 600), "ends before"],
  ["without its end", file("a", "text"), "ends before"],
  [
    "with a wrong checksum",
    Buffer.concat([Buffer.from("zz"), file("a", "").subarray(2)]),
    "checksum",
  ],
  ["of an unknown kind", raw((block) => block.write("S", 156)), "unknown kind"],
  ["with a malformed number", raw((block) => block.write("00000009999\0", 124)), "malformed"],
  ["with a number beyond all sizes", raw((block) => block.fill(0xbf, 124, 136)), "too large"],
  ["with a record that has no length", record("path=x\n"), "malformed"],
  ["with a record longer than itself", record("99 path=x\n"), "malformed"],
  ["with a record whose length ends in its own digits", record("2 path=x\n"), "malformed"],
  ["with GNU's sparse form", record("23 GNU.sparse.major=1\n\n"), "sparse"],
  ["with a description beyond bounds", record("x".repeat(70_000), "L"), "too long"],
  [
    "that describes for ever",
    Buffer.concat(Array.from({ length: 20 }, () => record("x", "L"))),
    "never comes",
  ],
])("a stream %s is refused", async (_title, bytes, why) => {
  const problem = await problemOf(
    Buffer.concat([bytes, why === "ends before" ? Buffer.alloc(0) : file("a", "")]),
  );
  expect(problem).toMatch(new RegExp(`^COPY_REFUSED: .*${why}`));
});
