import { defineConfig } from "vitest/config";

const PROVIDER_TESTS = ["test/**/*.test.ts", "src/sandbox/providers/**/*.test.ts"];

export default defineConfig({
  test: {
    pool: "forks",
    passWithNoTests: false,
    projects: [
      {
        test: {
          name: "unit",
          include: ["src/**/*.test.ts", "{scripts,simulator,bench}/**/*.test.ts"],
          exclude: ["src/sandbox/providers/**"],
          testTimeout: 20_000,
          hookTimeout: 20_000,
          maxWorkers: 2,
          retry: 0,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: "integration",
          include: PROVIDER_TESTS,
          testTimeout: 60_000,
          hookTimeout: 60_000,
          // Sandboxes share the machine's cgroups, runtimes and disks: one file at a time keeps leaks attributable.
          fileParallelism: false,
          retry: 0,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
