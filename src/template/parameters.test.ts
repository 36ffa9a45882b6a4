import { expect, test } from "vitest";
import type { TemplateParameter } from "../protocol/template-file.ts";
import { answerParameters, readValue } from "./parameters.ts";
import { matchesWhole } from "./pattern.ts";

const code = (expected: string): Error => expect.objectContaining({ code: expected }) as Error;

test.each<[TemplateParameter, string | number | boolean, unknown]>([
  [{ type: "string" }, 3, "3"],
  [{ type: "string", pattern: "[a-z]+" }, "abc", "abc"],
  [{ type: "number", min: 1, max: 4 }, "3", 3],
  [{ type: "number" }, 2.5, 2.5],
  [{ type: "boolean" }, "yes", true],
  [{ type: "boolean" }, false, false],
  [{ type: "choice", choices: ["a", { value: "b", title: "B" }] }, "b", "b"],
  [{ type: "secret" }, "team-key", "team-key"],
  [{ type: "login" }, "work", "work"],
])("%j takes %j", (parameter, given, value) => {
  expect(readValue("p", parameter, given)).toBe(value);
});

test.each<[TemplateParameter, string | number | boolean]>([
  [{ type: "string", pattern: "[a-z]+" }, "abc1"],
  [{ type: "string", pattern: "a|b" }, "ab"],
  [{ type: "string", maxLength: 2 }, "abc"],
  [{ type: "string" }, "a\0b"],
  [{ type: "number" }, "three"],
  [{ type: "number" }, ""],
  [{ type: "number" }, true],
  [{ type: "number", max: 4 }, 5],
  [{ type: "number", min: 4 }, 3],
  [{ type: "number", integer: true }, 1.5],
  [{ type: "boolean" }, "perhaps"],
  [{ type: "boolean" }, 1],
  [{ type: "choice", choices: ["a"] }, "c"],
  [{ type: "secret" }, "a value, and no name"],
  [{ type: "login" }, "../other"],
])("%j refuses %j", (parameter, given) => {
  expect(() => readValue("p", parameter, given)).toThrow(code("PARAMETER_INVALID"));
});

test("what is given counts before what a sandbox has, and that before the default", () => {
  const string = { type: "string", default: "default" } as const;
  const values = answerParameters(
    { a: string, b: string, c: string },
    { given: { a: "given" }, kept: { a: "kept", b: "kept", gone: "x" } },
  );
  expect(values).toEqual({ a: "given", b: "kept", c: "default" });
});

test("all that are missing are named at once", () => {
  const asked = { a: { type: "string" }, b: { type: "secret" }, c: { type: "boolean" } } as const;
  const answer = () => answerParameters(asked, { given: { c: true } });
  expect(answer).toThrow(code("PARAMETER_MISSING"));
  expect(answer).toThrow("a, b");
  expect(() => answerParameters(asked, { given: { toString: "x" } })).toThrow(
    "no parameter toString",
  );
});

test("a pattern that never comes to an end is given up", () => {
  expect(matchesWhole("(a+)+b", "aaab")).toBe(true);
  expect(matchesWhole("(a+)+b", "a".repeat(60))).toBeUndefined();
});
