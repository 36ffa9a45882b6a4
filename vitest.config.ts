import { defineConfig } from "vitest/config";
import { ReportFile } from "./scripts/test-reporter.ts";

/** Set by `npm test`, which adds up several runs. */
const reportPath = process.env["CATTLEGRID_TEST_REPORT"];
/**
 * Real processes on a shared machine: under `npm test` a test that fails is tried once more, and the summary names
 * it when it passes then. On its own, vitest tries nothing twice.
 */
const retry = reportPath ? 1 : 0;

const INTEGRATION_TESTS = ["test/**/*.test.ts", "src/sandbox/providers/**/*.test.ts"];

export default defineConfig({
  test: {
    pool: "forks",
    passWithNoTests: false,
    reporters: reportPath ? ["default", new ReportFile(reportPath)] : ["default"],
    projects: [
      {
        test: {
          name: "unit",
          include: ["src/**/*.test.ts", "{scripts,simulator,bench}/**/*.test.ts"],
          exclude: ["src/sandbox/providers/**"],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          maxWorkers: 2,
          retry,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: "integration",
          include: INTEGRATION_TESTS,
          // They install what is large: `npm run test:agents`.
          exclude: ["test/agents/**", "test/daytona-sdk/**"],
          testTimeout: 180_000,
          hookTimeout: 180_000,
          globalSetup: "test/support/kiro-releases.ts",
          maxWorkers: 2,
          retry,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
