import { writeFileSync } from "node:fs";
import type { Reporter, TestCase, TestModule } from "vitest/node";
import { readSkipReason, type SkippedTest, type TestReport } from "./test-report.ts";

/** Writes one TestReport when a run of vitest ends. */
export class ReportFile implements Reporter {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly unknown[]): void {
    const reports = modules.map(readModule);
    const report: TestReport = {
      passed: reports.reduce((sum, { passed }) => sum + passed, 0),
      failed: reports.reduce((sum, { failed }) => sum + failed, unhandled.length),
      skipped: reports.flatMap(({ skipped }) => skipped),
      unsteady: reports.flatMap(({ unsteady }) => unsteady),
    };
    writeFileSync(this.#path, JSON.stringify(report));
  }
}

function readModule(module: TestModule): TestReport {
  const file = module.relativeModuleId;
  const tests = [...module.children.allTests()];
  const brokenSuites = [...module.children.allSuites()].filter(
    (suite) => suite.errors().length > 0,
  );
  const skipped = tests.filter((test) => !["passed", "failed"].includes(test.result().state));
  return {
    passed: tests.filter((test) => test.result().state === "passed").length,
    failed:
      tests.filter((test) => test.result().state === "failed").length +
      brokenSuites.length +
      module.errors().length,
    skipped: skipped.map((test) => describeSkip(file, test)),
    unsteady: tests
      .filter((test) => test.diagnostic()?.flaky === true)
      .map((test) => ({ file, title: test.fullName })),
  };
}

function describeSkip(file: string, test: TestCase): SkippedTest {
  const title = test.fullName;
  const result = test.result();
  const note = result.state === "skipped" ? result.note : undefined;
  const reason = note ?? readSkipReason(title) ?? readSetupFailure(test);
  return reason === undefined ? { file, title } : { file, title, reason };
}

/** A group whose set-up fails is counted as failed itself; its tests never ran. */
function readSetupFailure(test: TestCase): string | undefined {
  for (let parent: TestCase["parent"] = test.parent; ; parent = parent.parent) {
    if (parent.errors().length > 0) return "its set-up failed";
    if (parent.type === "module") return undefined;
  }
}
