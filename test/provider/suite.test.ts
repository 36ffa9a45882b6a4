import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "../..");
/** Providers that break a promise each. */
const FIXTURE = join(ROOT, "test/fixtures/broken-providers");

interface Report {
  testResults: {
    assertionResults: { ancestorTitles: string[]; title: string; status: string }[];
  }[];
}

/** Titles of the tests that failed, by the provider they were about. */
let failures: ReadonlyMap<string, readonly string[]>;
beforeAll(() => {
  const directory = mkdtempSync(join(tmpdir(), "cg-suite-"));
  const config = join(directory, "vitest.config.mjs");
  // Whoever runs this need not be able to write where the fixture lies.
  const test = { include: ["suite.ts"], testTimeout: 60_000 };
  const settings = { root: FIXTURE, cacheDir: join(directory, "cache"), test };
  writeFileSync(config, `export default ${JSON.stringify(settings)};`);
  const report = join(directory, "report.json");
  const words = ["run", "--reporter=json", `--outputFile=${report}`, `--config=${config}`];
  const vitest = join(ROOT, "node_modules/vitest/vitest.mjs");
  const environment = { PATH: process.env["PATH"], HOME: process.env["HOME"] };
  spawnSync(process.execPath, [vitest, ...words], { env: environment, stdio: "ignore" });
  const { testResults } = JSON.parse(readFileSync(report, "utf8")) as Report;
  rmSync(directory, { recursive: true });
  const results = testResults.flatMap(({ assertionResults }) => assertionResults);
  const found = new Map<string, string[]>();
  for (const { ancestorTitles, title, status } of results) {
    const [name = ""] = ancestorTitles;
    found.set(name, [...(found.get(name) ?? []), ...(status === "failed" ? [title] : [])]);
  }
  failures = found;
});

test("a provider that keeps every promise passes the suite", () => {
  expect(failures.get("whole")).toEqual([]);
});

test.each([
  [
    "states more than it declares",
    "it states what it can do here, which is no more than it declares",
  ],
  ["starts without a gateway", "a sandbox does not start when its sockets are not taken"],
  ["forgets the home", "home outlives stop and start, and goes with the sandbox"],
  ["keeps what is destroyed", "home outlives stop and start, and goes with the sandbox"],
  ["leaks a secret", "a secret reaches its own process and no later one"],
  ["reaps nothing", "reaping removes the sandboxes that nobody wants, and no other"],
  ["reaps everything", "reaping removes the sandboxes that nobody wants, and no other"],
  ["ignores an abort", "a start that is aborted leaves nothing running"],
])("one that %s does not", (name, title) => {
  expect(failures.get(name)).toContain(title);
});
