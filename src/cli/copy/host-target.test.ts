import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { TarEntry } from "../../platform/tar/tar-entry.ts";
import { HostTarget, type HostTargetOptions } from "./host-target.ts";
import { Tally } from "./tally.ts";

const DIRECTORY: TarEntry = {
  name: "./source/",
  type: "directory",
  mode: 0o755,
  sizeBytes: 0,
  modifiedSeconds: 1_000_000_000,
  target: "",
};
const NO_LIMITS = { bytesMax: 2 ** 40, entriesMax: 1000 };

let root: string;
let workspace: string;
let outside: string;

beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), "cg-copy-")));
  workspace = join(root, "work");
  outside = join(root, "outside");
  for (const path of [workspace, outside]) mkdirSync(path);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function open(path: string, change: Partial<HostTargetOptions> = {}): HostTarget {
  return new HostTarget({
    path,
    directory: workspace,
    sourceName: "source",
    isContent: false,
    replaces: false,
    workspace,
    tally: new Tally(NO_LIMITS),
    ...change,
  });
}

async function* chunks(...parts: (string | Buffer)[]): AsyncGenerator<Buffer> {
  for (const part of parts) yield Buffer.from(part);
}

function put(target: HostTarget, names: string[], text: string | Buffer): Promise<void> {
  const bytes = Buffer.from(text);
  const entry = { ...DIRECTORY, type: "file" as const, mode: 0o640, sizeBytes: bytes.length };
  return target.take(names, { entry, content: chunks(bytes) });
}

const codeOf = async (action: () => unknown): Promise<unknown> => {
  try {
    await action();
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
  return "none";
};

async function takeDirectory(target: HostTarget, ...names: string[]): Promise<void> {
  await target.take(names, { entry: DIRECTORY, content: chunks() });
}

test("a copy appears whole, with modes and times, only when it is finished", async () => {
  using target = open("out");
  target.begin(DIRECTORY);
  await takeDirectory(target);
  await put(target, ["a"], "text");
  await takeDirectory(target, "d");
  await put(target, ["d", "b"], "more");
  expect(existsSync(join(workspace, "out"))).toBe(false);
  target.commit();
  expect(readFileSync(join(workspace, "out/d/b"), "utf8")).toBe("more");
  const { mode, mtimeMs } = statSync(join(workspace, "out/a"));
  expect([mode & 0o7777, mtimeMs]).toEqual([0o640, 1e12]);
  expect(statSync(join(workspace, "out")).mtimeMs).toBe(1e12);
});

test("a copy that is given up leaves nothing, and what was there before", async () => {
  writeFileSync(join(workspace, "out"), "before");
  {
    using target = open("out", { sourceName: "a" });
    target.begin({ ...DIRECTORY, type: "file" });
    await put(target, [], "after");
  }
  expect(readdirSync(workspace)).toEqual(["out"]);
  expect(readFileSync(join(workspace, "out"), "utf8")).toBe("before");
});

test("what is there is replaced by force alone, and whole", async () => {
  mkdirSync(join(workspace, "out"));
  writeFileSync(join(workspace, "out/old"), "");
  const outcomes: unknown[] = [];
  for (const replaces of [false, true]) {
    using target = open(".", { replaces, sourceName: "out" });
    outcomes.push(await codeOf(() => target.begin(DIRECTORY)));
    if (!replaces) continue;
    await takeDirectory(target);
    await put(target, ["new"], "");
    target.commit();
  }
  expect(outcomes).toEqual(["COPY_TARGET", "none"]);
  expect([readdirSync(workspace), readdirSync(join(workspace, "out"))]).toEqual([["out"], ["new"]]);
});

test("a file of zeros takes no space", async () => {
  using target = open("zeros");
  target.begin({ ...DIRECTORY, type: "file" });
  const entry = { ...DIRECTORY, type: "file" as const, sizeBytes: 8 * 1024 * 1024 };
  const zeros = Buffer.alloc(64 * 1024);
  await target.take([], { entry, content: chunks(...Array.from({ length: 128 }, () => zeros)) });
  target.commit();
  const { size, blocks } = statSync(join(workspace, "zeros"));
  expect([size, blocks < 64]).toEqual([8 * 1024 * 1024, true]);
});

describe("a hostile copy", () => {
  test("writes through no link that it brought itself", async () => {
    const tally = new Tally(NO_LIMITS);
    using target = open("out", { tally });
    target.begin(DIRECTORY);
    await takeDirectory(target);
    const link = { ...DIRECTORY, type: "link" as const };
    await target.take(["out"], { entry: { ...link, target: outside }, content: chunks() });
    await target.take(["in"], { entry: { ...link, target: "d" }, content: chunks() });
    expect(tally.leftOut).toHaveLength(1);
    expect(await codeOf(() => put(target, ["in", "file"], "x"))).toBe("COPY_REFUSED");
    expect(await codeOf(() => put(target, ["in"], "x"))).toBe("COPY_REFUSED");
    await put(target, ["out", "file"], "x");
    expect(readdirSync(outside)).toEqual([]);
  });

  test("writes through no link that takes a directory's place meanwhile", async () => {
    using target = open("out");
    target.begin(DIRECTORY);
    await takeDirectory(target);
    await takeDirectory(target, "d");
    await put(target, ["a"], "x");
    const [unfinished = ""] = readdirSync(workspace);
    const made = join(workspace, unfinished, "out/d");
    rmSync(made, { recursive: true });
    symlinkSync(outside, made);
    expect(await codeOf(() => put(target, ["d", "file"], "x"))).toBe("COPY_REFUSED");
    expect(readdirSync(outside)).toEqual([]);
  });

  test("removes nothing behind a link when it is given up", async () => {
    writeFileSync(join(outside, "kept"), "");
    {
      using target = open("out");
      target.begin(DIRECTORY);
      await takeDirectory(target);
      const [unfinished = ""] = readdirSync(workspace);
      symlinkSync(outside, join(workspace, unfinished, "out/link"));
    }
    expect([readdirSync(outside), readdirSync(workspace)]).toEqual([["kept"], []]);
  });

  test("is stopped at the limits, though all of it is left out", async () => {
    const tally = new Tally({ bytesMax: 10, entriesMax: 3 });
    using target = open("out", { tally });
    target.begin(DIRECTORY);
    await takeDirectory(target);
    expect(await codeOf(() => put(target, ["big"], "more than ten bytes"))).toBe("COPY_TOO_LARGE");
    const pipe = { ...DIRECTORY, type: "other" as const };
    const leaveOut = (): Promise<void> => target.take(["p"], { entry: pipe, content: chunks() });
    await leaveOut().catch(() => undefined);
    expect(await codeOf(leaveOut)).toBe("COPY_TOO_LARGE");
  });
});

describe("a link in the workspace", () => {
  test.each([
    ["as the target", "link"],
    ["on the way", "link/below"],
  ])("is not followed %s", async (_title, path) => {
    symlinkSync(outside, join(workspace, "link"));
    mkdirSync(join(outside, "below"));
    using target = open(path);
    expect(await codeOf(() => target.begin(DIRECTORY))).toBe("COPY_REFUSED");
  });

  test("is not followed either where another link led into the workspace", async () => {
    symlinkSync(outside, join(workspace, "link"));
    symlinkSync(workspace, join(root, "project"));
    using target = open(join(root, "project/link/new"));
    expect(await codeOf(() => target.begin(DIRECTORY))).toBe("COPY_REFUSED");
  });

  test("to a file is no place for a copy, even by force", async () => {
    writeFileSync(join(outside, "secret"), "kept");
    symlinkSync(join(outside, "secret"), join(workspace, "file"));
    const outcomes: unknown[] = [];
    using target = open("file", { replaces: true });
    outcomes.push(await codeOf(() => target.begin({ ...DIRECTORY, type: "file" })));
    expect(outcomes).toEqual(["COPY_REFUSED"]);
    expect(readFileSync(join(outside, "secret"), "utf8")).toBe("kept");
  });

  test("while a link elsewhere is the user's own, and followed", async () => {
    symlinkSync(outside, join(root, "mine"));
    using target = open(join(root, "mine"));
    target.begin(DIRECTORY);
    await takeDirectory(target);
    target.commit();
    expect(lstatSync(join(outside, "source")).isDirectory()).toBe(true);
  });
});
