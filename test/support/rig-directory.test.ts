import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { bindTree } from "../../src/platform/native/mount.ts";
import { root } from "./requirement.ts";
import { openRigDirectory, removeRigDirectory } from "./rig-directory.ts";

const ROOT = root();

describe.skipIf(!ROOT.met)(ROOT.title("the directory of an engine for tests"), () => {
  test("is removed with its mounts by the next one when its test was killed, and left alone while it runs", async () => {
    const parent = mkdtempSync(join(tmpdir(), "cg-rigs-"));
    const running = await openRigDirectory(parent, "rig-");
    const killed = join(parent, "rig-killed");
    mkdirSync(killed);
    bindTree(killed, killed);
    writeFileSync(join(killed, "owner"), `${process.pid} 1`);
    const next = await openRigDirectory(parent, "rig-");
    expect(existsSync(killed)).toBe(false);
    expect(readFileSync("/proc/self/mountinfo", "utf8")).not.toContain(killed);
    expect([running, next].every((path) => existsSync(path))).toBe(true);
    for (const path of [running, next]) removeRigDirectory(path);
    rmSync(parent, { recursive: true });
  });
});
