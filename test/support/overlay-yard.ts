import { execFileSync } from "node:child_process";
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { applyChanges } from "../../src/changes/apply.ts";
import type { Applied, ApplyWish } from "../../src/changes/application.ts";
import { OverlayTree } from "../../src/changes/changed-tree.ts";
import { ChangeRecords } from "../../src/changes/journal.ts";
import { removeTree } from "../../src/platform/tree-removal.ts";

export const EVERYTHING: ApplyWish = {
  paths: [],
  approve: [],
  overwrite: [],
  keep: [],
  mark: [],
  hunks: [],
};

/** A workspace and the upper directory of an overlay over it, written as overlayfs writes it. */
export class OverlayYard {
  readonly directory = realpathSync(mkdtempSync(join(tmpdir(), "cg-changes-")));
  readonly workspace = join(this.directory, "parent/project");
  readonly upper = join(this.directory, "upper");
  readonly records = join(this.directory, "records");
  begunAtNs = 0n;

  constructor() {
    for (const path of [this.workspace, this.upper]) mkdirSync(path, { recursive: true });
  }

  /** From here on what the host does counts as done meanwhile. */
  async begin(): Promise<void> {
    const mark = join(this.directory, "begun");
    // The kernel's clock of files ticks every few milliseconds.
    const before = lstatSync(this.workspace, { bigint: true }).ctimeNs;
    do {
      writeFileSync(mark, "");
      await new Promise((resolve) => setTimeout(resolve, 5));
      this.begunAtNs = lstatSync(mark, { bigint: true }).mtimeNs;
    } while (this.begunAtNs <= before);
    await new Promise((resolve) => setTimeout(resolve, 15));
  }

  host(path: string, text: string, mode = 0o644): void {
    write(join(this.workspace, path), text, mode);
  }

  wrote(path: string, text: string, mode = 0o644): void {
    write(join(this.upper, path), text, mode);
  }

  linked(path: string, target: string): void {
    mkdirSync(dirname(join(this.upper, path)), { recursive: true });
    symlinkSync(target, join(this.upper, path));
  }

  deleted(path: string): void {
    mkdirSync(dirname(join(this.upper, path)), { recursive: true });
    execFileSync("mknod", [join(this.upper, path), "c", "0", "0"]);
  }

  mark(path: string, attribute: "opaque" | "origin", value = "y"): void {
    const code = `import os,sys; os.setxattr(sys.argv[1], "user.overlay.${attribute}", sys.argv[2].encode())`;
    execFileSync("python3", ["-c", code, join(this.upper, path), value]);
  }

  get source() {
    return {
      workspace: this.workspace,
      openChanged: () => new OverlayTree(this.upper),
      begunAtNs: this.begunAtNs,
      records: new ChangeRecords(this.records),
      onCorrupt: () => undefined,
    };
  }

  apply(wish: Partial<ApplyWish> = {}, onPoint?: (point: string) => void): Promise<Applied> {
    const signal = new AbortController().signal;
    const options = onPoint === undefined ? { signal } : { signal, onPoint };
    return applyChanges(this.source, { ...EVERYTHING, ...wish }, options);
  }

  /** What the host holds now: each path with kind, mode and content. */
  tree(): Record<string, string> {
    return readTree(this.workspace);
  }

  /** What lies beside the workspace that was not there before. */
  leftovers(): string[] {
    return readdirSync(dirname(this.workspace)).filter((name) => name !== "project");
  }

  async remove(): Promise<void> {
    await removeTree(this.directory);
  }
}

/** Makes every kind of change at once; gives what the host holds when all are applied. */
export async function makeEveryChange(yard: OverlayYard): Promise<Record<string, string>> {
  yard.host("kept", "kept\n");
  yard.host("changed", "old\n");
  yard.host("deleted", "x");
  yard.host("mode", "run me", 0o644);
  yard.host("gone/a/b", "x");
  yard.host("remade/old", "x");
  yard.host("remade/both", "host");
  yard.host("becomes-directory", "file");
  yard.host("becomes-file/in/side", "x");
  yard.host("becomes-link", "x");
  await yard.begin();
  yard.wrote("changed", "new\n");
  yard.wrote("added", "added\n", 0o600);
  yard.deleted("deleted");
  yard.wrote("mode", "run me", 0o755);
  yard.deleted("gone");
  yard.wrote("remade/both", "sandbox");
  yard.mark("remade", "opaque");
  yard.wrote("becomes-directory/x", "y");
  yard.wrote("becomes-file", "file now");
  yard.linked("becomes-link", "changed");
  yard.wrote("new/deep/file", "deep");
  yard.linked("new/link", "deep/file");
  mkdirSync(join(yard.upper, "new/closed"), { mode: 0o500 });
  yard.wrote(`long/${"n".repeat(200)}`, "long name");
  return {
    added: "600 added\n",
    "becomes-directory": "directory 755",
    "becomes-directory/x": "644 y",
    "becomes-file": "644 file now",
    "becomes-link": "link changed",
    changed: "644 new\n",
    kept: "644 kept\n",
    long: "directory 755",
    [`long/${"n".repeat(200)}`]: "644 long name",
    mode: "755 run me",
    new: "directory 755",
    "new/closed": "directory 500",
    "new/deep": "directory 755",
    "new/deep/file": "644 deep",
    "new/link": "link deep/file",
    remade: "directory 755",
    "remade/both": "644 sandbox",
  };
}

function write(path: string, text: string, mode: number): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text, { mode });
  execFileSync("chmod", [mode.toString(8), path]);
}

export function readTree(root: string, below = ""): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of readdirSync(join(root, below)).sort()) {
    const path = below === "" ? name : `${below}/${name}`;
    const entry = lstatSync(join(root, path));
    const mode = (entry.mode & 0o7777).toString(8);
    if (entry.isSymbolicLink()) found[path] = `link ${readlinkSync(join(root, path))}`;
    else if (entry.isDirectory()) found[path] = `directory ${mode}`;
    else if (entry.isFile()) found[path] = `${mode} ${readFileSync(join(root, path), "utf8")}`;
    else found[path] = "other";
    if (entry.isDirectory()) Object.assign(found, readTree(root, path));
  }
  return found;
}
