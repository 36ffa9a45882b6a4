import { appendFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readLog } from "./daemon-log.ts";

test("the log is read in order across a rotation, and followed", async () => {
  const root = mkdtempSync(join(tmpdir(), "cg-log-"));
  const path = join(root, "daemon.log");
  writeFileSync(`${path}.1`, "one\n");
  writeFileSync(path, "two\n");
  const stop = new AbortController();
  let text = "";
  const reading = (async () => {
    for await (const bytes of readLog(path, { follow: true, signal: stop.signal })) {
      text += bytes.toString();
    }
  })();
  const settled = Promise.allSettled([reading]);
  await expect.poll(() => text, { timeout: 20_000 }).toBe("one\ntwo\n");
  appendFileSync(path, "three\n");
  renameSync(path, `${path}.1`);
  writeFileSync(path, "four\n");
  await expect.poll(() => text, { timeout: 20_000 }).toBe("one\ntwo\nthree\nfour\n");
  stop.abort();
  await settled;
  rmSync(root, { recursive: true });
});

test("a daemon that never ran has no log", async () => {
  const signal = new AbortController().signal;
  const none = readLog("/nowhere/daemon.log", { follow: false, signal });
  expect(await Array.fromAsync(none)).toEqual([]);
});
