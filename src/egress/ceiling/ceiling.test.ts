import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compilePolicy, type PolicyOptions } from "../policy/compile-policy.ts";
import { decide, type EgressRequest } from "../policy/decide.ts";
import type { HostName } from "../host-name.ts";

const AGENT_HOSTS = [{ host: "api.example", reason: "the model" }];

function policyUnder(ceilings: string[], options: Partial<PolicyOptions> = {}) {
  return compilePolicy({
    preset: "locked",
    agentHosts: AGENT_HOSTS,
    allow: [],
    deny: [],
    ceilings: ceilings.map((text, index) => ({
      layer: index === 0 ? "organisation" : "template",
      path: `/etc/ceiling-${index}.yaml`,
      text,
    })),
    ...options,
  });
}

function connect(name: string, port = 443): EgressRequest {
  return { kind: "connect", name: name as HostName, port, protocol: port === 80 ? "http" : "tls" };
}

describe("a ceiling", () => {
  test("allows nothing by itself", () => {
    const policy = policyUnder(["preset: open\n"]);
    expect(decide(policy, connect("a.example"))).toMatchObject({ code: "no-rule" });
  });

  test("keeps grants to what it allows, in every layer and for DNS", () => {
    const policy = policyUnder(
      ["allow: ['*.corp.example']\n", "allow: [a.corp.example, b.test]\n"],
      {
        allow: ["a.corp.example", "b.corp.example", "b.test"],
      },
    );
    expect(decide(policy, connect("a.corp.example"))).toMatchObject({ action: "allow" });
    for (const [name, layer] of [
      ["b.corp.example", "template"],
      ["b.test", "organisation"],
    ] as const) {
      const refused = { code: "beyond-ceiling", ceiling: { layer } };
      expect(decide(policy, connect(name))).toMatchObject(refused);
      expect(decide(policy, { kind: "lookup", name: name as HostName })).toMatchObject(refused);
    }
  });

  test("that lists nothing lets nothing out, whatever is granted", () => {
    const policy = policyUnder(["allow: []\n"], { preset: "open" });
    for (const request of [connect("a.example"), connect("a.example", 80)]) {
      expect(decide(policy, request)).toMatchObject({ code: "beyond-ceiling" });
    }
  });

  test("may build on what the agent declares", () => {
    const policy = policyUnder(["preset: agent\n"], { preset: "open" });
    expect(decide(policy, connect("api.example"))).toMatchObject({ action: "allow" });
    expect(decide(policy, connect("a.example"))).toMatchObject({ code: "beyond-ceiling" });
  });

  test("denies over every grant, and its rules cannot be taken away", () => {
    const text = "preset: open\ndeny: [evil.example]\n";
    const denied = policyUnder([text], { allow: ["evil.example"] });
    const decision = decide(denied, connect("evil.example"));
    expect(decision).toMatchObject({ code: "denied-by-rule", rule: { source: "organisation" } });
    const changes = [{ action: "remove" as const, ruleId: decision.rule!.id }];
    const still = policyUnder([text], { allow: ["evil.example"], changes });
    expect(decide(still, connect("evil.example"))).toMatchObject({ code: "denied-by-rule" });
  });

  test("with methods and paths makes an open grant inspected", () => {
    const policy = policyUnder(["allow: [{ host: a.example, methods: [GET] }]\n"], {
      allow: ["a.example"],
    });
    expect(decide(policy, connect("a.example"))).toMatchObject({ action: "allow", inspect: true });
    const http = { method: "POST", path: "/" };
    expect(decide(policy, { ...connect("a.example"), http } as EgressRequest)).toMatchObject({
      code: "beyond-ceiling",
    });
  });

  test("for tls makes an opaque grant tls, and one for http nothing at all", () => {
    const grant = { allow: ["a.example:443,opaque"] };
    const request = { kind: "connect", name: "a.example" as HostName, port: 443 } as const;
    const tls = decide(policyUnder(["allow: [a.example]\n"], grant), request);
    expect(tls).toMatchObject({ action: "allow", protocols: ["tls"] });
    const http = "allow: [{ host: a.example, ports: 443, protocol: http }]\n";
    const none = policyUnder([http], { allow: ["a.example"] });
    expect(decide(none, request)).toMatchObject({ code: "beyond-ceiling" });
  });

  test("that is broken is told with its place", () => {
    expect(() => policyUnder(["allow: [exam ple]\n"])).toThrow("/etc/ceiling-0.yaml:1:9");
  });
});

describe("a change", () => {
  test("adds a rule with its reason, or takes one of any lower layer away", () => {
    const before = policyUnder([], { preset: "agent", allow: ["a.example"] });
    const removed = before.allow.map(({ id }) => ({ action: "remove" as const, ruleId: id }));
    const added = { action: "allow", rule: "b.example", source: "change", reason: "why" } as const;
    const after = policyUnder([], {
      preset: "agent",
      allow: ["a.example"],
      changes: [...removed, added],
    });
    expect(after.allow).toMatchObject([
      { text: "b.example:443,tls", source: "change", reason: "why" },
    ]);
  });

  test("for anybody's hosts needs to be meant and explained", () => {
    const change = { action: "allow", rule: "*.com", source: "change" } as const;
    expect(() => policyUnder([], { changes: [change] })).toThrow("too broad");
    expect(() => policyUnder([], { changes: [{ ...change, broad: true }] })).toThrow("too broad");
    const meant = { ...change, broad: true, reason: "a survey" };
    expect(policyUnder([], { changes: [meant] }).allow).toHaveLength(1);
  });
});

test("no grant reaches beyond a ceiling, and a ceiling on top never allows more", () => {
  const rule = fc.constantFrom(
    "a.x.example",
    "*.x.example",
    "a.x.example:80",
    "b.x.example:443,opaque",
    "a.x.example/x,GET",
    "10.0.0.0/8:443",
  );
  const rules = fc.array(rule, { maxLength: 4 });
  const write = (allow: readonly string[]) => `allow: ${JSON.stringify(allow)}\n`;
  const request = fc.oneof(
    fc
      .tuple(fc.constantFrom("a.x.example", "b.x.example"), fc.constantFrom(80, 443))
      .map(([name, port]) => connect(name, port)),
    fc
      .constantFrom("a.example", "b.example")
      .map((name): EgressRequest => ({ kind: "lookup", name: name as HostName })),
    fc.constant<EgressRequest>({
      kind: "literal",
      address: { family: 4, value: 0x0a000001n },
      port: 443,
    }),
  );
  fc.assert(
    fc.property(rules, rules, request, (granted, above, asked) => {
      const free = decide(policyUnder([], { allow: granted }), asked);
      const alone = decide(policyUnder([], { allow: above }), asked);
      const limited = decide(policyUnder([write(above)], { allow: granted }), asked);
      const isInspected = [free, alone].some((each) => each.action === "allow" && each.inspect);
      const both = [free, alone].every(({ action }) => action === "allow");
      // A grant and a ceiling may have a port or a protocol each and none in common.
      const isLimitedRightly =
        limited.action === "deny" || (both && limited.inspect === isInspected);
      expect(isLimitedRightly).toBe(true);
      expect(asked.kind !== "literal" || both === (limited.action === "allow")).toBe(true);
    }),
    { numRuns: 500 },
  );
});
