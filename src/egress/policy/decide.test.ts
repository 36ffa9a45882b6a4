import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { classifyAddress } from "../address-class.ts";
import { formatAddress, parseAddress, parseRange, type Address } from "../address.ts";
import { compilePolicy } from "./compile-policy.ts";
import { decide, type Decision, type EgressRequest } from "./decide.ts";
import { readHostName, type HostName } from "../host-name.ts";
import type { EgressPolicy } from "./policy.ts";
import type { Protocol } from "./rule.ts";

const AGENT_HOSTS = [
  { host: "api.example", reason: "the model" },
  { host: "*.cdn.example", reason: "downloads" },
];

function compile(flags: string): EgressPolicy {
  const [preset = "", ...words] = flags.split(" ");
  const values = (flag: string) =>
    words.flatMap((word, index) => (words[index - 1] === flag ? [word] : []));
  return compilePolicy({
    preset,
    agentHosts: AGENT_HOSTS,
    allow: values("--allow"),
    deny: values("--deny"),
  });
}

function hostName(text: string): HostName {
  const reading = readHostName(text);
  if (!reading.ok) throw new TypeError(reading.problem);
  return reading.value;
}

function address(text: string): Address {
  const parsed = parseAddress(text);
  if (parsed === undefined) throw new TypeError(`${text} is no address`);
  return parsed;
}

function readRequest(text: string): EgressRequest {
  const lookup = /^lookup (.*)$/.exec(text)?.[1];
  if (lookup !== undefined) return { kind: "lookup", name: hostName(lookup) };
  const [connection = "", method, path] = text.split(/ (?=[A-Z]+ \/)| (?=\/)/);
  const http = method === undefined || path === undefined ? {} : { http: { method, path } };
  const named = /^(\S+):(\d+) (tls|http|opaque)(?: → (.*))?$/.exec(connection);
  if (named === null) {
    const literal = /^(.*):(\d+)$/.exec(text);
    return { kind: "literal", address: address(literal![1]!), port: Number(literal![2]) };
  }
  const name = hostName(named[1]!);
  const place = { name, port: Number(named[2]), protocol: named[3] as Protocol, ...http };
  if (named[4] === undefined) return { kind: "connect", ...place };
  return { kind: "dial", ...place, address: address(named[4]) };
}

function readTable() {
  const page = readFileSync(join(import.meta.dirname, "../../../docs/egress.md"), "utf8");
  const rows = page
    .split("## Decisions")[1]!
    .split("\n## ")[0]!
    .matchAll(/^\| (`.*)\|$/gm);
  return [...rows].map((row) => {
    const [policy, request, code, rule] = row[1]!
      .split("|")
      .map((cell) => cell.trim().replaceAll("`", ""));
    return { policy: policy!, request: request!, code: code!, rule: rule! };
  });
}

describe("the table in docs/egress.md", () => {
  const rows = readTable();

  test("is read whole", () => {
    expect(rows.length).toBeGreaterThan(60);
  });

  test.each(rows)("$policy: $request is $code", ({ policy, request, code, rule }) => {
    const decision = decide(compile(policy), readRequest(request));
    const inspected = decision.action === "allow" && decision.inspect ? ", inspected" : "";
    const told = { code: `${decision.code}${inspected}`, rule: decision.rule?.text ?? "" };
    expect(told).toEqual({ code, rule });
  });
});

describe("a decision", () => {
  test("says what the allowing rules together let a connection speak", () => {
    const policy = compile("locked --allow a.example.com --allow **.example.com:443,opaque");
    const request = { kind: "connect", name: hostName("a.example.com"), port: 443 } as const;
    expect(decide(policy, request)).toMatchObject({ protocols: ["http", "opaque", "tls"] });
  });

  test("explains itself in a sentence", () => {
    const decision = decide(compile("agent"), readRequest("api.example:443 tls → 10.0.0.1"));
    expect(decision.reason).toBe(
      "api.example resolves to 10.0.0.1, which is a private network and not granted by rule api.example:443,tls",
    );
  });
});

const label = fc.stringMatching(/^[a-z]([a-z0-9-]{0,8}[a-z0-9])?$/);
/** Below a name that is nobody's suffix: a pattern over one is too broad. */
const name = fc
  .array(label, { minLength: 1, maxLength: 3 })
  .map((labels) => [...labels, "owner", "example"].join("."));
const anyAddress = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 32n - 1n }).map((value): Address => ({ family: 4, value })),
  fc
    .bigInt({ min: 2n ** 48n, max: 2n ** 128n - 1n })
    .map((value): Address => ({ family: 6, value })),
);
const ruleText = fc.tuple(
  fc.constantFrom("", "*.", "**."),
  name,
  fc.constantFrom("", ":80", ":22"),
);
const rules = fc.array(
  ruleText.map(([wildcard, host, port]) => `${wildcard}${host}${port}`),
  {
    maxLength: 5,
  },
);
const request = fc.oneof(
  name.map((text): EgressRequest => ({ kind: "lookup", name: hostName(text) })),
  fc
    .tuple(name, fc.constantFrom(22, 80, 443), fc.constantFrom<Protocol>("tls", "http", "opaque"))
    .map(([text, port, protocol]): EgressRequest => {
      return { kind: "connect", name: hostName(text), port, protocol };
    }),
  fc
    .tuple(anyAddress, fc.constantFrom(22, 80, 443))
    .map(([literal, port]): EgressRequest => ({ kind: "literal", address: literal, port })),
);

function policyOf(allow: readonly string[], deny: readonly string[]): EgressPolicy {
  return compilePolicy({ preset: "locked", agentHosts: [], allow, deny });
}

/** Adds rules that speak of the very name that is asked for, so that the properties meet both answers. */
function aim(texts: readonly string[], asked: EgressRequest): string[] {
  if (!("name" in asked) || texts.length % 2 === 0) return [...texts];
  return [...texts, asked.name, `${asked.name}:22`];
}

describe("for every policy", () => {
  test("an empty one allows nothing", () => {
    fc.assert(
      fc.property(request, rules, (asked, deny) => {
        expect(decide(policyOf([], deny), asked).action).toBe("deny");
      }),
    );
  });

  test("adding a deny rule never allows more, adding an allow rule never allows less", () => {
    const sets = fc.record({ allow: rules, deny: rules, more: rules });
    const openness = (decision: Decision) => Number(decision.action === "allow");
    fc.assert(
      fc.property(request, sets, (asked, { allow, deny, more }) => {
        const aimed = aim(allow, asked);
        const before = openness(decide(policyOf(aimed, deny), asked));
        const denied = decide(policyOf(aimed, [...deny, ...aim(more, asked)]), asked);
        const allowed = decide(policyOf([...aimed, ...more], deny), asked);
        expect(openness(denied)).toBeLessThanOrEqual(before);
        expect(openness(allowed)).toBeGreaterThanOrEqual(before);
      }),
    );
  });

  test("the order of rules changes nothing, explanation included", () => {
    const told = (decision: Decision) => [decision.code, decision.rule?.id, decision.reason];
    fc.assert(
      fc.property(request, rules, rules, (asked, allow, deny) => {
        const forward = decide(policyOf(aim(allow, asked), deny), asked);
        const backward = decide(policyOf(aim(allow, asked).toReversed(), deny.toReversed()), asked);
        expect(told(backward)).toEqual(told(forward));
      }),
    );
  });

  test("the preset open reaches a literal address exactly when it is public", () => {
    const open = compile("open");
    fc.assert(
      fc.property(anyAddress, (literal) => {
        const decision = decide(open, { kind: "literal", address: literal, port: 443 });
        expect(decision.action === "allow").toBe(classifyAddress(literal).class === "public");
      }),
      { numRuns: 1000 },
    );
  });

  test("no address class reaches an address of this host or of its cloud", () => {
    const policy = policyOf(["a.example:443,public,private"], []);
    const ranges = ["127.0.0.0/8", "169.254.0.0/16", "0.0.0.0/8", "224.0.0.0/4"];
    const twins = fc.constantFrom<(ipv4: bigint) => Address>(
      (value) => ({ family: 4, value }),
      (value) => ({ family: 6, value: (0x64ff9bn << 96n) | value }),
      (value) => ({ family: 6, value: (0x2002n << 112n) | (value << 80n) }),
      (value) => address(formatAddress({ family: 6, value: (0xffffn << 32n) | value })),
    );
    const low = fc.bigInt({ min: 0n, max: 2n ** 16n - 1n });
    fc.assert(
      fc.property(fc.constantFrom(...ranges), low, twins, (text, offset, twin) => {
        const dialled = twin(parseRange(text)!.base + offset);
        const asked = { name: hostName("a.example"), port: 443, protocol: "tls" as const };
        const decision = decide(policy, { kind: "dial", ...asked, address: dialled });
        expect(decision.code).toBe("address-not-allowed");
      }),
    );
  });
});
