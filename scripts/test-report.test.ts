import { execFileSync } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import {
  readSkipReason,
  renderSkipped,
  renderUnsteady,
  sumReports,
  type TestReport,
} from "./test-report.ts";

const ROOT = join(import.meta.dirname, "..");

test("two runs are added up, and a skip without a reason is a failure", () => {
  const skipped = [{ file: "a", title: "x", reason: "no crun" }];
  const first = { passed: 3, failed: 1, skipped, unsteady: [] };
  const second = { passed: 2, failed: 0, skipped: [{ file: "a", title: "y" }], unsteady: [] };
  expect(sumReports([first, second])).toEqual({ passed: 5, failed: 2, skipped: 1 });
});

test("the table names each skipped test, and joins those of one file that share a reason", () => {
  const skipped = [
    { file: "a.test.ts", title: "one [skipped: needs crun]", reason: "needs crun" },
    { file: "a.test.ts", title: "two", reason: "needs crun" },
    { file: "b.test.ts", title: "three [skipped: a] > four" },
  ];
  const report = { run: "as root", passed: 0, failed: 0, skipped, unsteady: [] };
  expect(renderSkipped([report]).split("\n")).toEqual([
    "run      skipped                  why",
    "-------  -----------------------  ----------------------------------",
    "as root  a.test.ts: 2 tests       needs crun",
    "as root  b.test.ts: three > four  NO REASON GIVEN, counted as failed",
  ]);
});

test("a test that passed only at the second try is named", () => {
  const unsteady = [{ file: "a.test.ts", title: "one" }];
  const report = { run: "as root", passed: 1, failed: 0, skipped: [], unsteady };
  expect(renderUnsteady([report])).toContain("as root  a.test.ts: one");
  expect(renderUnsteady([{ ...report, unsteady: [] }])).toBe("Nothing needed a second try.");
});

test.each([
  ["keeps files [skipped: needs crun: not installed]", "needs crun: not installed"],
  ["group [skipped: needs root] > test", "needs root"],
  ["keeps files", undefined],
])("the reason in %j is %j", (title, reason) => {
  expect(readSkipReason(title)).toBe(reason);
});

test("the reporter counts passes, second tries, failures, broken set-ups, broken files and skips with reasons", () => {
  const tree = mkdtempSync(join(tmpdir(), "reporter-"));
  onTestFinished(() => rmSync(tree, { recursive: true }));
  mkdirSync(join(tree, "src"));
  cpSync(join(ROOT, "scripts"), join(tree, "scripts"), { recursive: true });
  cpSync(join(ROOT, "vitest.config.ts"), join(tree, "vitest.config.ts"));
  symlinkSync(join(ROOT, "node_modules"), join(tree, "node_modules"));
  writeFileSync(join(tree, "package.json"), '{"type":"module"}');
  writeFileSync(
    join(tree, "src/mixed.test.ts"),
    `import { beforeAll, describe, expect, test } from "vitest";
     test("passes", () => {});
     let tries = 0;
     test("passes at the second try", () => expect(++tries).toBe(2));
     test("fails", () => expect(1).toBe(2));
     test("skips inside", (context) => context.skip("no disk"));
     describe.skip("group [skipped: needs root]", () => { test("inner", () => {}); });
     test.skip("silent", () => {});
     describe("broken", () => {
       beforeAll(() => { throw new TypeError("set-up"); });
       test("never runs", () => {});
     });`,
  );
  writeFileSync(join(tree, "src/unreadable.test.ts"), 'throw new TypeError("on import");');
  const reportPath = join(tree, "report.json");
  const vitest = join(ROOT, "node_modules/vitest/vitest.mjs");
  expect(() =>
    execFileSync(process.execPath, [vitest, "run", "--project", "unit", "src/"], {
      cwd: tree,
      env: { ...process.env, CATTLEGRID_TEST_REPORT: reportPath },
      stdio: "pipe",
    }),
  ).toThrow("Command failed");
  const report = JSON.parse(readFileSync(reportPath, "utf8")) as TestReport;
  const reasons = Object.fromEntries(report.skipped.map(({ title, reason }) => [title, reason]));
  const { passed, failed, unsteady } = report;
  expect({ passed, failed, unsteady, reasons }).toEqual({
    passed: 2,
    failed: 3,
    unsteady: [{ file: "src/mixed.test.ts", title: "passes at the second try" }],
    reasons: {
      "skips inside": "no disk",
      "group [skipped: needs root] > inner": "needs root",
      silent: undefined,
      "broken > never runs": "its set-up failed",
    },
  });
});
