import { mkdtempSync, readdirSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { endEntry, endTar, writeHeader } from "../../platform/tar/tar-writer.ts";
import { describeFetched, leaveOut, planFetch, receiveContents } from "./fetching.ts";
import { parseInventory, type Inventory, type InventoryEntry } from "./inventory.ts";
import { CopyRecords, NOTHING_FETCHED, type Sent } from "./records.ts";

const NEVER = new AbortController().signal;
const ENTRY: InventoryEntry = { kind: "file", mode: 0o644, size: 4, stamp: "f 644 4 1.5" };
const SENT: Sent = {
  version: 1,
  begunAtNs: "1",
  entries: {
    a: { kind: "file", mode: 0o755, insideMode: 0o644, hash: "of a", stamp: "f 644 4 1.0" },
    d: { kind: "directory", mode: 0o755, insideMode: 0o755, stamp: "755" },
  },
};

let directory: string;
let records: CopyRecords;
beforeEach(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), "cg-fetch-")));
  records = new CopyRecords(join(directory, "records"));
});
afterEach(() => rmSync(directory, { recursive: true }));

function listed(...entries: readonly (readonly [fields: string, name: string | Buffer])[]): Buffer {
  const parts = entries.flatMap(([fields, name]) => [fields, "\0", name, "\0"]);
  return Buffer.concat(parts.map((part) => Buffer.from(part as string)));
}

function inventory(entries: Record<string, Partial<InventoryEntry>>): Inventory {
  const all = Object.entries(entries).map(
    ([path, parts]) => [path, { ...ENTRY, ...parts }] as const,
  );
  return { entries: new Map(all), undecodable: [] };
}

function file(name: string, text = "text"): Buffer {
  const sizeBytes = Buffer.byteLength(text);
  const header = { name, mode: 0o644, sizeBytes, modifiedSeconds: 1, target: "" };
  return Buffer.concat([
    writeHeader({ ...header, type: "file" }),
    Buffer.from(text),
    endEntry(sizeBytes),
  ]);
}

function special(kind: string, name: string, target = ""): Buffer {
  const block = writeHeader({
    name,
    mode: 0o644,
    sizeBytes: 0,
    modifiedSeconds: 1,
    target,
    type: "link",
  });
  block.write(kind, 156, "latin1");
  block.fill(0x20, 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(7, "0")}\0`, 148, "latin1");
  return block;
}

async function receive(parts: readonly Buffer[], ...wanted: readonly string[]): Promise<unknown> {
  async function* archive(): AsyncGenerator<Buffer> {
    yield Buffer.concat([...parts]);
  }
  const asked = new Map(wanted.map((path) => [path, ENTRY]));
  const { contents } = records;
  try {
    const hashes = await receiveContents(archive(), asked, { contents, signal: NEVER });
    return Object.fromEntries(
      [...hashes].map(([path, hash]) => [path, contents.read(hash, 99)?.toString()]),
    );
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
}

describe("the list of what is inside", () => {
  test("is read with kinds, modes, sizes, targets and odd names", () => {
    const output = listed(
      ["f 4755 12 1700000000.5 ", "a\nb"],
      ["d 755 4096 1.0 ", "dir"],
      ["l 777 9 1.0 ../x y", "dir/link"],
      ["p 644 0 1.0 ", "pipe"],
      ["f 644 1 1.0 ", Buffer.from([0x62, 0xff])],
    );
    const found = parseInventory(output);
    expect(Object.fromEntries(found.entries)).toMatchObject({
      "a\nb": { kind: "file", mode: 0o4755, size: 12 },
      dir: { kind: "directory", mode: 0o755 },
      "dir/link": { kind: "link", target: "../x y" },
      pipe: { kind: "other" },
    });
    expect(found.undecodable).toHaveLength(1);
  });

  test.each(["/etc/passwd", "../up", "a/../b", "a//b", "./a", "a/", "", "x".repeat(5000)])(
    "with the path %j is refused",
    (path) => {
      const parse = (): unknown => parseInventory(listed(["f 644 1 1.0 ", path]));
      expect(parse).toThrow(expect.objectContaining({ code: "COPY_REFUSED" }));
    },
  );

  test.each([
    ["twice the same", listed(["f 644 1 1.0 ", "a"], ["f 644 2 1.0 ", "a"])],
    ["what says nothing", listed(["nonsense", "a"])],
    ["half an entry", Buffer.from("f 644 1 1.0 \0a")],
  ])("with %s is refused", (_title, output) => {
    expect(() => parseInventory(output)).toThrow(expect.objectContaining({ code: "COPY_REFUSED" }));
  });

  test("git's own directory is left out under every spelling", () => {
    const names = [".git/config", "a/.GIT/hooks/x", "GIT~1/config", ".git. /x", "a/.git"];
    const all = inventory(
      Object.fromEntries([...names, ".gitignore", "git/x"].map((name) => [name, {}])),
    );
    expect([...leaveOut(all, () => false).entries.keys()]).toEqual([".gitignore", "git/x"]);
  });
});

describe("an archive from inside", () => {
  test("brings the files that were asked for", async () => {
    expect(
      await receive([file("./a"), file("./__proto__", "two"), endTar()], "a", "__proto__"),
    ).toMatchObject({ a: "text" });
  });

  test.each([
    ["an absolute name", [file("/etc/passwd")]],
    ["a name that leads upwards", [file("../a")]],
    ["a name that was not asked for", [file("b")]],
    ["a link that was not asked for", [special("2", "b", "/etc")]],
    ["a name that comes twice", [file("a"), file("./a", "other")]],
    ["a file below a link of the same archive", [special("2", "a", "/etc"), file("a/passwd")]],
  ])("with %s is refused", async (_title, parts) => {
    expect(await receive([...parts, endTar()], "a")).toBe("COPY_REFUSED");
  });

  test.each([
    ["a link", "2"],
    ["a hard link", "1"],
    ["a device", "3"],
    ["a pipe", "6"],
    ["a directory", "5"],
  ])("with %s in place of a file brings nothing of it", async (_title, kind) => {
    expect(await receive([special(kind, "a", "/etc/passwd"), endTar()], "a")).toEqual({});
  });

  test("of more than all files may have together is refused before it is read", async () => {
    const header = {
      name: "a",
      mode: 0o644,
      sizeBytes: 5 * 2 ** 30,
      modifiedSeconds: 1,
      target: "",
    };
    expect(await receive([writeHeader({ ...header, type: "file" })], "a")).toBe(
      "CHANGES_TOO_LARGE",
    );
    expect(readdirSync(directory)).toEqual([]);
  });

  test("that ends early leaves nothing", async () => {
    expect(await receive([file("a").subarray(0, 514)], "a")).toBe("COPY_REFUSED");
    expect(readdirSync(records.contents.directory)).toEqual([]);
  });
});

describe("what is recorded of a fetch", () => {
  const known = { sent: SENT, fetched: NOTHING_FETCHED };

  test("only what changed is asked for, and only that is recorded", () => {
    const now = inventory({
      a: { stamp: "f 644 4 1.0" },
      d: { kind: "directory", stamp: "755" },
      n: {},
    });
    const plan = planFetch(now, SENT, NOTHING_FETCHED);
    expect([...plan.wanted.keys()]).toEqual(["n"]);
    const { entries, gone } = describeFetched(plan, new Map([["n", "hash"]]), known);
    expect(entries).toEqual({ n: { ...ENTRY, hash: "hash" } });
    expect(gone).toEqual([]);
  });

  test("what was written anew and holds what was sent is no change, and is not asked for again", () => {
    const now = inventory({ a: { stamp: "later" }, d: { kind: "directory", stamp: "755" } });
    const plan = planFetch(now, SENT, NOTHING_FETCHED);
    const fetched = describeFetched(plan, new Map([["a", "of a"]]), known);
    expect(fetched).toMatchObject({ entries: {}, same: { a: "later" } });
    expect(planFetch(now, SENT, fetched).wanted.size).toBe(0);
  });

  test("a mode that came out otherwise inside is as it was on the host, until somebody changes it", () => {
    const changed = (mode: number): unknown => {
      const plan = planFetch(inventory({ a: { stamp: "x", mode } }), SENT, NOTHING_FETCHED);
      return describeFetched(plan, new Map([["a", "other"]]), known).entries["a"]?.mode;
    };
    expect([changed(0o644), changed(0o600)]).toEqual([0o755, 0o600]);
  });

  test("what cannot be read any more stays as it came the last time, and is asked for again", () => {
    const plan = planFetch(inventory({ n: {} }), SENT, NOTHING_FETCHED);
    const first = describeFetched(plan, new Map([["n", "hash"]]), known);
    const later = planFetch(inventory({ n: { stamp: "closed" } }), SENT, first);
    const second = describeFetched(later, new Map(), { sent: SENT, fetched: first });
    expect(second.entries["n"]).toMatchObject({ hash: "hash", stamp: ENTRY.stamp });
    expect(second.gone).toEqual(["a", "d"]);
    expect(planFetch(inventory({ n: { stamp: "closed" } }), SENT, second).wanted.size).toBe(1);
  });

  test("more than may come is refused, and the largest are named", () => {
    const plan = (): unknown =>
      planFetch(inventory({ "big file": { size: 5 * 2 ** 30 } }), SENT, NOTHING_FETCHED);
    expect(plan).toThrow(
      expect.objectContaining({
        code: "CHANGES_TOO_LARGE",
        message: expect.stringContaining('"big file"'),
      }),
    );
  });
});
