import { describe, expect, test } from "vitest";
import { CRUN, openCrunContainer } from "../../../../../test/support/crun-container.ts";
import { Programs } from "../../../../../test/support/programs.ts";
import { explainFailedStart, isTooEarly } from "./process-failure.ts";

const explain = (text: string): ReturnType<typeof explainFailedStart> =>
  explainFailedStart({ program: "tool", cwd: "/place", text });

test.each([
  ["executable file `tool` not found in $PATH: No such file or directory", "COMMAND_NOT_FOUND"],
  ["executable file `/x/tool` not found: No such file or directory", "COMMAND_NOT_FOUND"],
  ['exec failed: exec: "tool": executable file not found in $PATH', "COMMAND_NOT_FOUND"],
  ["exec: No such file or directory", "COMMAND_NOT_FOUND"],
  ["open executable: Permission denied", "COMMAND_NOT_EXECUTABLE"],
  ["open executable: Operation not permitted", "COMMAND_NOT_EXECUTABLE"],
  [
    "the path `/x` exists but it is not executable: Operation not permitted",
    "COMMAND_NOT_EXECUTABLE",
  ],
  ["the path `/usr` is not a regular file: Operation not permitted", "COMMAND_NOT_EXECUTABLE"],
  ["exec: Exec format error", "COMMAND_NOT_EXECUTABLE"],
  ["exec: Argument list too long", "COMMAND_ARGUMENT_TOO_LONG"],
  ["chdir `/place`: No such file or directory", "DIRECTORY_MISSING"],
  ["chdir `/place`: Permission denied", "DIRECTORY_MISSING"],
  ["chdir `/place`: Not a directory", "DIRECTORY_MISSING"],
  ["error opening file `/s/box/status`: No such file or directory", "SANDBOX_NOT_RUNNING"],
  ["the container `box` is not running", "SANDBOX_NOT_RUNNING"],
  ["nsenter: cannot open /proc/1/ns/mnt: No such file or directory", "SANDBOX_NOT_RUNNING"],
  ["something else", "SANDBOX_START_FAILED"],
  ["", "SANDBOX_START_FAILED"],
])("%s is %s", (text, code) => {
  expect(explain(text).code).toBe(code);
});

test("only a container whose namespaces cannot be entered yet is worth another try", () => {
  expect(isTooEarly(explain("setns(pid=7, CLONE_*): Operation not permitted"))).toBe(true);
  const later = "fail startup; setns(pid=7, CLONE_*): Operation not permitted";
  expect(isTooEarly(explain(later))).toBe(true);
  expect(isTooEarly(explain("something else"))).toBe(false);
  expect(isTooEarly(explain("the container `box` is not running"))).toBe(false);
});

describe.skipIf(!CRUN.met)(CRUN.title("a container that has just started"), () => {
  test("runs a program at once, every time", async () => {
    for (let round = 0; round < 8; round += 1) {
      const box = await openCrunContainer();
      try {
        const { output } = await new Programs(box).shell("echo hello");
        expect([round, output.toString()]).toEqual([round, "hello\n"]);
      } finally {
        await box.close();
      }
    }
  });
});
