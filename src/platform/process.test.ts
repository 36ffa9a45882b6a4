import { expect, test } from "vitest";
import { CattlegridError } from "../errors/error.ts";
import { exitCode, runProcess } from "./process.ts";

test("a finished program gives its exit status and both outputs", async () => {
  const done = await runProcess(["sh", "-c", "cat; echo problem >&2; exit 3"], { input: "text" });
  expect(done).toEqual({ code: 3, stdout: "text", stderr: "problem\n" });
});

test("a program that does not read its input still gives its exit status", async () => {
  const done = await runProcess(["true"], { input: new Uint8Array(1 << 20) });
  expect(done.code).toBe(0);
});

test("a program that is not installed is named", async () => {
  const failure = await runProcess(["cattlegrid-no-such-program"]).catch((error: unknown) => error);
  expect(CattlegridError.is(failure, "DEPENDENCY_MISSING")).toBe(true);
});

test("a signal counts as 128 plus its number", () => {
  expect(exitCode(null, "SIGKILL")).toBe(137);
  expect(exitCode(5, null)).toBe(5);
});

test("aborting kills the program", async () => {
  const failure = await runProcess(["sleep", "60"], { signal: AbortSignal.abort() }).catch(
    (error: unknown) => error,
  );
  expect((failure as Error).name).toBe("AbortError");
});
