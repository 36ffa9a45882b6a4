import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { buildBaseEtc } from "./etc.ts";

let root: string;
beforeEach(() => void (root = mkdtempSync(join(tmpdir(), "cg-etc-"))));
afterEach(() => rmSync(root, { recursive: true, force: true }));

test("the shared part of /etc is made once however many sandboxes start first at the same time", async () => {
  const directory = join(root, "etc-1");
  const builds = Array.from({ length: 6 }, () => buildBaseEtc(directory, { shell: "/bin/sh" }));
  await Promise.all(builds);
  expect(readdirSync(root)).toEqual(["etc-1"]);
  expect(readdirSync(directory)).toContain("passwd");
  expect(statSync(directory).mode & 0o777).toBe(0o755);
});
