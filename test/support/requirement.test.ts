import { expect, test } from "vitest";
import { readSkipReason } from "../../scripts/test-report.ts";
import { allOf, program, requirement } from "./requirement.ts";

test("a met requirement leaves the title alone", () => {
  const met = requirement("crun", () => undefined);
  expect([met.met, met.reason, met.title("keeps files")]).toEqual([true, "", "keeps files"]);
});

test("an unmet one gives a reason that the table of skipped tests can read", () => {
  const unmet = requirement("crun", () => "version [1.0] is too old");
  expect(unmet.met).toBe(false);
  expect(readSkipReason(unmet.title("keeps files"))).toBe("needs crun: version [1.0) is too old");
});

test("several are met only together, and the first unmet one gives the reason", () => {
  const absent = program("no-such-program");
  expect(allOf(program("sh"), program("env")).met).toBe(true);
  expect(allOf(program("sh"), absent).reason).toBe("needs no-such-program: not installed");
});
