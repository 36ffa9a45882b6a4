import { describe, expect, test } from "vitest";
import type { LearnedPolicy } from "../../protocol/policy.ts";
import { listNames, renderLearned } from "./learned.ts";

function rule(text: string, allowed = 0, refused = 0): LearnedPolicy["rules"][number] {
  return { id: text, effect: "allow", text, source: "file", allowed, refused };
}

const NAMES = ["1.x.example", "2.x.example", "3.x.example"];
const LEARNED: LearnedPolicy = {
  rules: [
    rule("a.example:443,tls", 2),
    { ...rule("b.example:22,opaque", 0, 1), carriesDataOut: "a gist" },
    ...NAMES.map((name) => rule(`${name}:443,tls`, 0, 1)),
  ],
  deny: [{ id: "d", effect: "deny", text: "evil.example:*", source: "flag" }],
  inForce: [rule("a.example:443,tls"), rule("c.example:443,tls")],
  left: [{ place: "169.254.169.254:80", reason: "a cloud\nmetadata service", count: 2 }],
  families: [{ pattern: "*.x.example", names: NAMES }],
};

describe("a learnt policy", () => {
  test("is shown as a diff: what stays, what was not used, what is new and what it can carry", () => {
    expect(renderLearned(LEARNED).diff.split("\n")).toEqual([
      "--- the policy in force",
      "+++ the smallest policy that would have allowed this run",
      " preset: locked",
      " allow:",
      '-  - "c.example:443,tls" # not used',
      '   - "a.example:443,tls" # used 2 times',
      '+  - "b.example:22,opaque" # refused once; can carry data out: a gist',
      ...NAMES.map((name) => `+  - "${name}:443,tls" # refused once`),
      " deny:",
      '   - "evil.example:*"',
      expect.stringMatching(/^# refused 2 times and not suggested: 169\.254\.169\.254:80: a cloud/),
      "# *.x.example would cover 1.x.example, 2.x.example, 3.x.example; it is not taken",
      "",
    ]);
  });

  test("holds a wildcard only in place of names for which somebody said yes", () => {
    expect(renderLearned(LEARNED).text).not.toContain("*.x");
    const { text, diff } = renderLearned(LEARNED, ["*.x.example"]);
    expect(text).toContain('  - "*.x.example:443,tls" # refused 3 times');
    expect(text).not.toContain("1.x.example");
    expect(diff).not.toContain("it is not taken");
  });

  test("names what a wildcard is asked about, and some of it when that is much", () => {
    const names = Array.from({ length: 40 }, (_, at) => `${at}.x`);
    expect(listNames(names.slice(0, 3))).toBe("0.x, 1.x and 2.x");
    expect(listNames(names.slice(0, 6))).toBe("0.x, 1.x, 2.x, 3.x, 4.x and 5.x");
    expect(listNames(names)).toBe("0.x, 1.x, 2.x, 3.x, 4.x and 35 others");
  });

  test("of a run that wanted nothing allows nothing", () => {
    const empty = { ...LEARNED, rules: [], deny: [], left: [], families: [] };
    expect(renderLearned(empty).text).toBe("preset: locked\nallow: []\n");
  });
});
