import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeOrdinaryUser } from "./ordinary-user.ts";
import {
  type NamedReport,
  renderCounts,
  renderSkipped,
  renderUnsteady,
  sumReports,
  type TestReport,
} from "./test-report.ts";

const ROOT = join(import.meta.dirname, "..");
const PROVIDER_TESTS = ["test/provider/", "src/sandbox/providers/"];

interface TestRun {
  run: string;
  cwd: string;
  argv: readonly string[];
  environment: NodeJS.ProcessEnv;
  reportPath: string;
}

const interruption = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => interruption.abort(signal));
}

const filters = process.argv.slice(2);
const reports = [await runHere(filters)];
if (filters.length > 0) {
  console.log("\nOnly a part was asked for; the second run as an ordinary user is left out.");
} else if (process.getuid?.() === 0 && !interruption.signal.aborted) {
  reports.push(await runAsOrdinaryUser());
}
// A filter skips every other test without a reason, so then only the run's own counts mean something.
const shown = filters.length > 0 ? reports.map(dropSilentSkips) : reports;
const counts = sumReports(shown);
console.log(`\n${renderSkipped(shown)}\n\n${renderUnsteady(shown)}\n\n${renderCounts(counts)}`);
if (interruption.signal.aborted) process.exitCode = 130;
else process.exitCode = counts.failed === 0 && counts.passed > 0 ? 0 : 1;

async function runHere(filters: readonly string[]): Promise<NamedReport> {
  const folder = mkdtempSync(join(tmpdir(), "cattlegrid-report-"));
  try {
    return await runVitest({
      run: process.getuid?.() === 0 ? "as root" : "as this user",
      cwd: ROOT,
      argv: vitestCommand(ROOT, filters),
      environment: process.env,
      reportPath: join(folder, "report.json"),
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Root hides what an ordinary user meets, so the provider suite runs again as one. */
async function runAsOrdinaryUser(): Promise<NamedReport> {
  console.log("\nThe provider suite again, as an ordinary user:");
  const user = makeOrdinaryUser(ROOT);
  const left: string[] = [];
  const ran = runVitest({
    run: "as an ordinary user",
    cwd: user.clone,
    argv: user.wrap(vitestCommand(user.clone, ["--project", "integration", ...PROVIDER_TESTS])),
    environment: user.environment,
    reportPath: join(user.environment["TMPDIR"] ?? "", "report.json"),
  });
  const report = await ran.finally(() => left.push(...user.remove()));
  for (const line of left) console.log(`left running after the tests: ${line}`);
  return left.length > 0 ? { ...report, failed: report.failed + 1 } : report;
}

function vitestCommand(root: string, argv: readonly string[]): string[] {
  const packages = join(root, "node_modules");
  return [join(packages, "node/bin/node"), join(packages, "vitest/vitest.mjs"), "run", ...argv];
}

/** Runs vitest to its end. A run that dies, or that reports no failure yet fails, counts as one failure. */
async function runVitest(test: TestRun): Promise<NamedReport> {
  const [program = "", ...argv] = test.argv;
  const child = spawn(program, argv, {
    cwd: test.cwd,
    env: { ...test.environment, CATTLEGRID_TEST_REPORT: test.reportPath },
    stdio: "inherit",
  });
  interruption.signal.addEventListener("abort", () => child.kill("SIGTERM"), { once: true });
  const status = await new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve(code ?? 1));
  });
  const report = readReport(test.reportPath);
  if (report === undefined) {
    console.log(`vitest wrote no report (exit status ${status}); counted as one failure.`);
    return { run: test.run, passed: 0, failed: 1, skipped: [], unsteady: [] };
  }
  const isSilentFailure = status !== 0 && report.failed === 0;
  if (isSilentFailure) console.log(`vitest ended with status ${status}; counted as one failure.`);
  return { ...report, run: test.run, failed: report.failed + (isSilentFailure ? 1 : 0) };
}

function readReport(path: string): TestReport | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as TestReport;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

function dropSilentSkips(report: NamedReport): NamedReport {
  return { ...report, skipped: report.skipped.filter(({ reason }) => reason !== undefined) };
}
