import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, statSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { removeTree } from "./tree-removal.ts";

let root = "";
beforeEach(() => void (root = mkdtempSync(join(tmpdir(), "cg-removal-"))));
afterEach(async () => removeTree(root));

const DEEP = `name=${"d".repeat(250)}; for i in $(seq 30); do mkdir $name && cd -P $name; done
  mkdir closed && chmod 0 closed .`;

describe("removing a tree", () => {
  test("succeeds however deep it is, and without rights at its end", async () => {
    const tree = join(root, "tree");
    mkdirSync(tree);
    execFileSync("bash", ["-c", DEEP], { cwd: tree });
    await removeTree(tree);
    expect(existsSync(tree)).toBe(false);
  });

  test("leaves alone what links in it lead to, and their modes", async () => {
    const [tree, outside] = [join(root, "tree"), join(root, "outside")];
    for (const path of [tree, outside, join(tree, "closed"), join(tree, "closed/below")])
      mkdirSync(path);
    chmodSync(outside, 0o500);
    symlinkSync(outside, join(tree, "link"));
    chmodSync(join(tree, "closed"), 0);
    await removeTree(tree);
    expect(existsSync(tree)).toBe(false);
    expect(statSync(outside).mode & 0o777).toBe(0o500);
    symlinkSync(outside, join(root, "link"));
    await removeTree(join(root, "link"));
    expect(existsSync(outside)).toBe(true);
  });

  test("takes what is not there for removed", async () => {
    await removeTree(join(root, "nothing"));
  });
});
