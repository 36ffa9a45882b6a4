import { describe, expect, test } from "vitest";
import { describeProgram, isAccepted, isLoopback, readSize } from "./program.ts";

describe("what an SSH session asks for", () => {
  test("is one program that ends with the connection, and its command is one argument", () => {
    const command = `echo "it's $HOME"; rm -rf "x y"`;
    const program = describeProgram({ kind: "command", command }, { environment: {} });
    expect(program.argv.at(-1)).toBe(command);
    expect(program.argv.slice(0, -1).join(" ")).not.toContain("rm -rf");
    expect(program).toMatchObject({ attended: true, environment: {} });
    expect(program).not.toHaveProperty("terminal");
  });

  test("begins at home, but for a shell in a terminal", () => {
    const terminal = { columns: 100, rows: 30 };
    const scripts = [
      describeProgram({ kind: "shell" }, { environment: {} }),
      describeProgram({ kind: "sftp" }, { environment: {} }),
      describeProgram({ kind: "shell" }, { environment: { TERM: "xterm" }, terminal }),
    ].map(({ argv }) => argv[2]?.startsWith("cd "));
    expect(scripts).toEqual([true, true, false]);
  });
});

test.each([
  ["LANG", "de_DE.UTF-8", true],
  ["LC_ALL", "C", true],
  ["GIT_PROTOCOL", "version=2", true],
  ["LD_PRELOAD", "/tmp/x.so", false],
  ["AWS_SECRET_ACCESS_KEY", "secret", false],
  ["PATH", "/tmp", false],
  ["TERM", "xterm", false],
  ["LANG", "x".repeat(2000), false],
  ["LANG", "a\0b", false],
])("the variable %s of a client is taken: %#", (name, value, expected) => {
  expect(isAccepted(name, value)).toBe(expected);
});

test.each([
  [
    { cols: 120, rows: 40 },
    { columns: 120, rows: 40 },
  ],
  [
    { cols: 0, rows: 0 },
    { columns: 80, rows: 24 },
  ],
  [
    { cols: 4_000_000_000, rows: 1 },
    { columns: 10_000, rows: 1 },
  ],
])("a window of %j is one of %j", (given, expected) => {
  expect(readSize(given)).toEqual(expected);
});

test.each([
  ["localhost", true],
  ["127.0.0.1", true],
  ["::1", true],
  ["LOCALHOST", true],
  ["127.0.0.2", false],
  ["0.0.0.0", false],
  ["localhost.example.com", false],
  ["169.254.169.254", false],
  ["", false],
])("%s is the sandbox's own loopback: %s", (host, expected) => {
  expect(isLoopback(host)).toBe(expected);
});
