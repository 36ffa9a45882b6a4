import { expect, test } from "vitest";
import { CattlegridError } from "../../errors/error.ts";
import { requireProgram, runProgram } from "./program.ts";

const { signal } = new AbortController();
const failing = ["sh", "-c", "echo it is so >&2; exit 3"];

test("a program that a base needs and is not there is named, with what for and how to get it", () => {
  const found = (): string => requireProgram("no-such-tool", { why: "It fetches the image a." });
  expect(found).toThrow("The program no-such-tool is not installed. It fetches the image a.");
  expect(found).toThrow(
    expect.objectContaining({
      code: "DEPENDENCY_MISSING",
      hint: "Install it: `sudo apt-get install no-such-tool`.",
    }),
  );
  expect(requireProgram("sh", { why: "It is a shell." })).toMatch(/\/sh$/);
});

test("what a program complains of is told, as what it is known to mean", async () => {
  await expect(runProgram(failing, { signal, message: "It failed" })).rejects.toMatchObject({
    code: "BASE_INVALID",
    message: "It failed: it is so",
  });
  const known = new CattlegridError("BASE_PRIVATE", "So that is why.");
  const explain = (text: string): CattlegridError | undefined =>
    text.includes("so") ? known : undefined;
  await expect(runProgram(failing, { signal, message: "", explain })).rejects.toBe(known);
  const other = runProgram(failing, { signal, message: "", explain: () => undefined });
  await expect(other).rejects.toMatchObject({ code: "BASE_UNAVAILABLE" });
});

test.each([
  ["No space left on device", "DISK_FULL"],
  ["no image found in manifest list for architecture s390x", "BASE_UNSUITABLE"],
])("%s is told apart", async (text, code) => {
  const argv = ["sh", "-c", `echo '${text}' >&2; exit 1`];
  await expect(runProgram(argv, { signal, message: "It failed" })).rejects.toMatchObject({ code });
});
