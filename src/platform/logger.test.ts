import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openLogFile } from "./logger.ts";

let directory = "";
beforeEach(() => void (directory = mkdtempSync(join(tmpdir(), "cg-log-"))));
afterEach(() => rmSync(directory, { recursive: true, force: true }));

test("a log is JSON lines for its owner, with errors spelt out", () => {
  const path = join(directory, "x.log");
  const log = openLogFile({ path });
  log.info("hello", { a: 1, error: new Error("outer", { cause: new Error("inner") }) });
  log.debug("unseen");
  log.close();
  const lines = readFileSync(path, "utf8").trim().split("\n");
  expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
    expect.objectContaining({
      msg: "hello",
      a: 1,
      error: expect.objectContaining({
        message: "outer",
        cause: expect.objectContaining({ message: "inner" }),
      }),
    }),
  ]);
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test("a log never grows past twice its bound", () => {
  const path = join(directory, "x.log");
  const log = openLogFile({ path, bytesMax: 1000 });
  for (let n = 0; n < 100; n++) log.info("x".repeat(100), { n });
  log.close();
  expect(statSync(path).size).toBeLessThanOrEqual(1000);
  expect(statSync(`${path}.1`).size).toBeLessThanOrEqual(1000);
  expect(readFileSync(path, "utf8")).toContain('"n":99');
});
