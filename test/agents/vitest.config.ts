import { defineConfig } from "vitest/config";
import { ReportFile } from "../../scripts/test-reporter.ts";

/** Apart from the other tests: the agents are large, and so is Daytona's SDK, and each is installed. */
const reportPath = process.env["CATTLEGRID_TEST_REPORT"];

export default defineConfig({
  test: {
    name: "agents",
    root: import.meta.dirname,
    include: ["*.test.ts", "../daytona-sdk/*.test.ts"],
    pool: "forks",
    maxWorkers: 2,
    passWithNoTests: false,
    testTimeout: 600_000,
    hookTimeout: 120_000,
    retry: reportPath ? 1 : 0,
    reporters: reportPath ? ["default", new ReportFile(reportPath)] : ["default"],
  },
});
