import { describe, expect, test } from "vitest";
import { CattlegridError } from "../../errors/error.ts";
import type { EgressRecord } from "../../protocol/egress.ts";
import { listRules, withRefusals } from "./refusals.ts";

const record = (change: Partial<EgressRecord>): EgressRecord => ({
  time: "2026-11-28T00:00:00.000Z",
  sandboxId: "s",
  kind: "dns",
  action: "deny",
  reasonCode: "no-rule",
  reason: "no rule allows it",
  name: "files.example",
  ...change,
});

describe("what would let a step reach what it was refused", () => {
  test.each<[string, Partial<EgressRecord>, { output: string; rule: string }]>([
    ["a name", {}, { output: "", rule: "files.example:443,tls" }],
    [
      "a name that the step calls by http",
      {},
      { output: "Err http://files.example/a", rule: "files.example:80,http" },
    ],
    [
      "a connection",
      { kind: "connect", port: 8080, protocol: "http" },
      { output: "", rule: "files.example:8080,opaque" },
    ],
    [
      "a request",
      {
        kind: "request",
        port: 443,
        method: "GET",
        path: "/a/b",
        reasonCode: "path-not-allowed",
        protocol: "tls",
      },
      { output: "", rule: "files.example:443/a/b,tls,GET" },
    ],
  ])("for %s is a rule", (_, change, { output, rule }) => {
    expect(listRules([record(change), record(change)], output)).toEqual([rule]);
  });

  test("is nothing for what the template itself denies, nor for this machine's own addresses", () => {
    const { name: _, ...bare } = record({ kind: "connect", port: 80, address: "169.254.169.254" });
    expect(listRules([record({ reasonCode: "denied-by-rule" }), bare], "")).toEqual([]);
  });
});

describe("a step that failed", () => {
  const failure = new CattlegridError("REPOSITORY_PRIVATE", "It wants to know who asks.");
  const tell = async (...records: EgressRecord[]): Promise<unknown> => {
    const decisions = async (): Promise<string[]> => records.map((each) => JSON.stringify(each));
    return withRefusals(failure, { box: { decisions }, name: "clone" });
  };

  test("with a refusal tells of that, and not of what it looked like", async () => {
    expect(await tell(record({}))).toMatchObject({
      code: "TEMPLATE_BUILD_FAILED",
      hint: expect.stringContaining('`allow: ["files.example'),
    });
    expect(await tell(record({ reasonCode: "beyond-ceiling", port: 443 }))).toMatchObject({
      hint: 'What is denied, or beyond a ceiling, is not to be had: ["files.example:443"].',
    });
  });

  test("with one that no rule lifts tells why it was", async () => {
    const refused = record({ kind: "connect", port: 80, reasonCode: "address-not-allowed" });
    expect(await tell({ ...refused, reason: "it resolves to a private address" })).toMatchObject({
      hint: 'What was refused: ["files.example:80: it resolves to a private address"].',
    });
  });

  test("without one stays what it was", async () => {
    expect(await tell(record({ action: "allow" }))).toBe(failure);
  });
});
