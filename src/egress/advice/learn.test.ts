import { describe, expect, test } from "vitest";
import type { EgressRecord } from "../../protocol/egress.ts";
import { compilePolicy } from "../policy/compile-policy.ts";
import { learn } from "./learn.ts";
import { readAllowText } from "../policy/rule-text.ts";

function policyOf(preset: string, allow: string[] = [], deny: string[] = []) {
  return compilePolicy({ preset, agentHosts: [], allow, deny });
}

function record(fields: Partial<EgressRecord>): EgressRecord {
  return {
    time: "2026-01-01T00:00:00.000Z",
    sandboxId: "s",
    kind: "connect",
    action: "deny",
    reasonCode: "no-rule",
    reason: "because",
    ...fields,
  };
}

const texts = (policy: ReturnType<typeof policyOf>, records: EgressRecord[]) =>
  learn(policy, records).rules.map(({ rule }) => rule.text);

describe("what is learnt from a run", () => {
  test.each<[Partial<EgressRecord>, string]>([
    [{ name: "a.example", port: 443 }, "a.example:443,tls"],
    [{ name: "a.example", port: 80 }, "a.example:80,http"],
    [{ name: "a.example", port: 22 }, "a.example:22,opaque"],
    [{ name: "a.example", port: 8443, reasonCode: "port-not-allowed" }, "a.example:8443,opaque"],
    [
      { name: "a.example", port: 80, reasonCode: "protocol-not-allowed", protocol: "tls" },
      "a.example:80,tls",
    ],
    [
      { address: "10.1.2.3", port: 5432, reasonCode: "address-not-named" },
      "10.1.2.3/32:5432,opaque",
    ],
    [
      {
        kind: "request",
        name: "a.example",
        port: 443,
        protocol: "tls",
        reasonCode: "path-not-allowed",
        method: "PUT",
        path: "/a%20b",
      },
      "a.example:443/a%20b,tls,PUT",
    ],
  ])("%j needs %s", (fields, text) => {
    expect(texts(policyOf("locked"), [record(fields)])).toEqual([text]);
  });

  test.each<Partial<EgressRecord>>([
    { address: "169.254.169.254", port: 80, reasonCode: "address-not-named" },
    { address: "127.0.0.1", port: 80, reasonCode: "address-not-named" },
    { name: "a.example", port: 443, reasonCode: "denied-by-rule" },
    { name: "a.example", port: 443, reasonCode: "beyond-ceiling" },
    { name: "a.example", port: 443, reasonCode: "server-name-hidden" },
    { name: "a.example", port: 443, reasonCode: "address-not-allowed" },
    { name: "a.example", port: 443, reasonCode: "path-not-allowed", method: "GET", path: "/*" },
  ])("%j is told and not suggested", (fields) => {
    const learned = learn(policyOf("locked"), [record(fields)]);
    expect([learned.rules, learned.left.length]).toEqual([[], 1]);
  });

  test("keeps exact rules that were used, and of wider ones only what was used", () => {
    const policy = policyOf("open", ["a.example:443,tls,GET", "*.b.example:443"]);
    const rule = (text: string) => {
      const found = policy.allow.find((each) => each.text === text)!;
      return { action: "allow" as const, reasonCode: "allowed" as const, rule: found };
    };
    const records = [
      record({ name: "a.example", port: 443, ...rule("a.example:443,tls,GET") }),
      record({ name: "x.b.example", port: 443, ...rule("*.b.example:443,tls") }),
      record({ name: "c.example", port: 443, ...rule("**:*,opaque") }),
      record({ name: "c.example", port: 22, ...rule("**:*,opaque") }),
      record({ address: "93.184.215.14", port: 25, ...rule("0.0.0.0/0:*,opaque") }),
    ];
    expect(texts(policy, records)).toEqual([
      "a.example:443,tls,GET",
      "x.b.example:443,tls",
      "c.example:443,tls",
      "c.example:22,opaque",
      "93.184.215.14/32:25,opaque",
    ]);
  });

  test("adds up what is the same, and leaves out what could not be reached", () => {
    const wish = record({ name: "a.example", port: 443 });
    const down = record({
      name: "b.example",
      port: 443,
      action: "error",
      reasonCode: "unreachable",
    });
    const lookup = record({ kind: "dns", name: "c.example" });
    expect(learn(policyOf("locked"), [wish, down, lookup, wish]).rules).toMatchObject([
      { rule: { text: "a.example:443,tls" }, allowed: 0, refused: 2 },
    ]);
  });

  test("never is a wildcard; one that would cover several names is named apart, unless anybody has names there", () => {
    const names = [
      "1.x.example",
      "2.x.example",
      "3.x.example",
      "a.github.io",
      "b.github.io",
      "c.github.io",
    ];
    const learned = learn(
      policyOf("locked"),
      names.map((name) => record({ name, port: 443 })),
    );
    expect(learned.rules.map(({ rule }) => rule.target)).toEqual(
      names.map((name) => ({ kind: "host", pattern: { kind: "exact", name } })),
    );
    expect(learned.families).toEqual([{ pattern: "*.x.example", names: names.slice(0, 3) }]);
  });

  test("is, for every record, a rule that can be written in a policy", () => {
    const policy = policyOf("locked", [], ["evil.example"]);
    const records = [443, 80, 9000].map((port) => record({ name: "a.example", port }));
    const { rules, deny } = learn(policy, records);
    expect(rules.every(({ rule }) => readAllowText(rule.text, "file").ok)).toBe(true);
    expect(deny).toMatchObject([{ text: "evil.example:*" }]);
  });
});
