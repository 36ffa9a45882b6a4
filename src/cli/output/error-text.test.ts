import { expect, test } from "vitest";
import { ERROR_CODES, type ErrorCode } from "../../errors/codes.ts";
import { CattlegridError } from "../../errors/error.ts";
import type { Problem } from "../../protocol/problem.ts";
import { checkApiVersion, readProblem, toError } from "../api.ts";
import { renderError } from "./error-text.ts";
import { exitCodeOf } from "../exit-code.ts";
import { renderTable } from "./table.ts";

test("an error is what happened, its code, and what to do", () => {
  const error = new CattlegridError("SANDBOX_NOT_FOUND", "There is no sandbox x.");
  expect(renderError(error)).toBe(
    "cattlegrid: There is no sandbox x.\n  code: SANDBOX_NOT_FOUND\n" +
      "  hint: List sandboxes with `cattlegrid ls`.\n",
  );
});

test("a terminal does not act on what a message quotes", () => {
  const error = new CattlegridError("USAGE", "a\u001b]0;title\u0007b\nc\u009b2Jd");
  expect(renderError(error)).toMatch(/^cattlegrid: a\\x1b\]0;title\\x07b\n {2}c\\x9b2Jd\n/);
});

test("what is listed stays on its line", () => {
  const table = renderTable(["NAME"], [["a\nb\t\u001b[2J\u2028c"], ["plain"]]);
  expect(table).toBe("NAME\na\\x0ab\\x09\\x1b[2J\\x2028c\nplain\n");
});

test.each([
  ["USAGE", 125],
  ["COMMAND_NOT_FOUND", 127],
  ["COMMAND_NOT_EXECUTABLE", 126],
  ["AGENT_NOT_SIGNED_IN", 121],
  ["TIMED_OUT", 124],
  ["INTERRUPTED", 130],
  ["INTERNAL", 125],
] as const)("%s ends with %i", (code, status) => {
  expect(exitCodeOf(new CattlegridError(code, "x"))).toBe(status);
});

test("a signal that ended the program gives the status that shells know", () => {
  const error = new CattlegridError("INTERRUPTED", "x");
  const statuses = (["SIGINT", "SIGTERM", "SIGHUP"] as const).map((name) =>
    exitCodeOf(error, name),
  );
  expect(statuses).toEqual([130, 143, 129]);
});

const problem: Problem = {
  type: "about:blank",
  title: "x",
  status: 404,
  code: "SANDBOX_NOT_FOUND",
  detail: "There is no sandbox x.",
  hint: "Look.",
  fault: "user",
};

test("a problem of the daemon is the error it tells of", () => {
  const error = readProblem(JSON.stringify(problem), "GET /", 404);
  expect([error.code, error.message, error.hint]).toEqual([problem.code, problem.detail, "Look."]);
});

test("a code of a newer daemon is shown, and ends with 125", () => {
  const error = toError({ ...problem, code: "MOON_FULL" });
  expect(error.message).toBe("There is no sandbox x. (MOON_FULL)");
  expect(exitCodeOf(error)).toBe(125);
});

test("what is no problem is told by its status", () => {
  expect(readProblem("<html>", "GET /v1/x", 502).message).toContain("GET /v1/x with status 502");
});

test.each([["1.0"], ["1.99"], [undefined]])("an API of version %s is understood", (header) => {
  expect(() => checkApiVersion(header)).not.toThrow();
});

test.each([["2.0"], ["0.9"], ["none"]])("an API of version %s is refused", (header) => {
  const expected = { code: "DAEMON_VERSION_MISMATCH" satisfies ErrorCode };
  expect(() => checkApiVersion(header)).toThrow(expect.objectContaining(expected) as Error);
  expect(ERROR_CODES.DAEMON_VERSION_MISMATCH.exitCode).toBe(125);
});
