import { describe, expect, test } from "vitest";
import { CattlegridError } from "../../errors/error.ts";
import { compilePolicy, type PolicyOptions } from "./compile-policy.ts";
import type { EgressPolicy } from "./policy.ts";

const AGENT_HOSTS = [{ host: "api.example", reason: "the model" }];

function compile(options: Partial<PolicyOptions>): EgressPolicy {
  return compilePolicy({ agentHosts: AGENT_HOSTS, allow: [], deny: [], ...options });
}

function compileFile(text: string): EgressPolicy {
  return compile({ file: { path: "rules.yaml", text } });
}

function allowed(policy: EgressPolicy): string[] {
  return policy.allow.map((rule) => rule.text);
}

function failure(act: () => unknown): { code: string; message: string; hint: string } {
  try {
    act();
  } catch (error) {
    if (!CattlegridError.is(error)) throw error;
    return { code: error.code, message: error.message, hint: error.hint };
  }
  return { code: "none", message: "", hint: "" };
}

describe("the base of a policy", () => {
  test("is the agent's hosts, with their reasons, when nothing is said", () => {
    const policy = compile({});
    expect(policy.preset).toBe("agent");
    expect(policy.allow).toMatchObject([
      { text: "api.example:443,tls", source: "agent", reason: "the model" },
    ]);
  });

  test("is the file alone when a file names no preset, so that an empty list lets nothing out", () => {
    expect(compileFile("allow: []\n")).toEqual({
      preset: "locked",
      allow: [],
      deny: [],
      ceilings: [],
    });
    expect(allowed(compileFile("preset: agent\nallow: [b.example]\n"))).toEqual([
      "api.example:443,tls",
      "b.example:443,tls",
    ]);
  });

  test("locked lets nothing out", () => {
    expect(compile({ preset: "locked" }).allow).toEqual([]);
  });

  test("of an unknown name is refused", () => {
    expect(failure(() => compile({ preset: "devel" })).code).toBe("POLICY_UNKNOWN");
  });

  test("gives a rule the same id each time, another per source, and one for a repetition", () => {
    const options = { preset: "locked", allow: ["a.example", "A.example.:443"] };
    const [first, ...others] = compile(options).allow;
    expect(others).toEqual([]);
    expect(compile(options).allow[0]?.id).toBe(first?.id);
    const [filed] = compileFile("allow: [a.example]").allow;
    expect([filed?.text, filed?.id === first?.id]).toEqual([first?.text, false]);
  });
});

describe("a flag", () => {
  test.each([
    ["example.com", "example.com:443,tls"],
    ["EXAMPLE.com.", "example.com:443,tls"],
    ["bücher.example", "xn--bcher-kva.example:443,tls"],
    ["example.com:80", "example.com:80,http"],
    ["example.com:22", "example.com:22,opaque"],
    ["example.com:8000-8010", "example.com:8000-8010,opaque"],
    ["example.com:*", "example.com:*,opaque"],
    ["example.com:443,private", "example.com:443,tls,private"],
    ["example.com,private", "example.com:443,tls,private"],
    ["example.com:443,opaque,10.0.0.0/8", "example.com:443,opaque,10.0.0.0/8"],
    ["example.com:443,private,fd12::/16", "example.com:443,tls,private,fd12::/16"],
    ["*.example.com", "*.example.com:443,tls"],
    ["**.example.com:443", "**.example.com:443,tls"],
    ["registry:5000,private", "registry:5000,opaque,private"],
    ["10.0.0.0/8:5432", "10.0.0.0/8:5432,opaque"],
    ["10.1.2.3", "10.1.2.3/32:443,opaque"],
    ["[2001:db8::1]:22", "[2001:db8::1/128]:22,opaque"],
    ["2001:db8::/32:22", "[2001:db8::/32]:22,opaque"],
    ["[::ffff:10.0.0.1]:22", "10.0.0.1/32:22,opaque"],
    ["example.com/repos/acme/**", "example.com:443/repos/acme/**,tls"],
    ["example.com:80/a,POST,/b", "example.com:80/a,http,POST,/b"],
    ["example.com:8443/a,tls,private", "example.com:8443/a,tls,private"],
    ["example.com,GET,HEAD", "example.com:443,tls,GET,HEAD"],
    ["example.com/%41/b%20c/é,PUT", "example.com:443/A/b%20c/%C3%A9,tls,PUT"],
  ])("--allow %s is %s", (text, expected) => {
    expect(allowed(compile({ preset: "locked", allow: [text] }))).toEqual([expected]);
  });

  test.each([
    ["example.com", "example.com:*"],
    ["example.com:22", "example.com:22"],
    ["**", "**:*"],
    ["0.0.0.0/0", "0.0.0.0/0:*"],
    ["example.com/admin/**", "example.com:*/admin/**"],
    ["example.com,POST,PUT", "example.com:*,POST,PUT"],
  ])("--deny %s is %s", (text, expected) => {
    const policy = compile({ preset: "locked", deny: [text] });
    expect(policy.deny.map((rule) => rule.text)).toEqual([expected]);
  });

  test.each([
    ["", "empty"],
    ["example.com\0.evil.net", "\\u{0}"],
    ["example.com\n", "\\u{a}"],
    ["exam ple.com", '" "'],
    ["exam\tple.com", "\\u{9}"],
    ["user@example.com", '"@"'],
    ["example.com#x", '"#"'],
    ["example.com\\x", "\\"],
    ["exam%70le.com", '"%"'],
    ["exam\u200bple.com", "\\u{200b}"],
    ["https://example.com", "HOST:PORT"],
    ["example.com/path?x", "query"],
    ["example.com/a/../b", "dot segment"],
    ["example.com/a%2Fb", "encoded slash"],
    ["example.com/**/b", "before its end"],
    ["example.com//x", "HOST:PORT"],
    ["example.com:22/path", "cannot be seen"],
    ["example.com:443/path,opaque", "cannot be seen"],
    ["example.com,CONNECT", "not an address range"],
    ["10.0.0.0/8,GET", "methods and paths"],
    ["example..com", "not a valid part"],
    ["-example.com", "not a valid part"],
    [`${"a".repeat(64)}.com`, "not a valid part"],
    [`${"a.".repeat(130)}com`, "longer than 253"],
    ["a.*.example.com", '"*"'],
    ["***.example.com", '"*"'],
    ["*example.com", '"*"'],
    ["2130706433", "address range"],
    ["0x7f000001", "odd spelling"],
    ["0x7f.1", "odd spelling"],
    ["127.1", "address range"],
    ["0177.0.0.1", "address range"],
    ["１２７.0.0.1", "odd spelling"],
    ["a.b.0x1", "odd spelling"],
    ["example.com:0", "not a port"],
    ["example.com:65536", "not a port"],
    ["example.com:044", "not a port"],
    ["example.com:90-80", "not a port"],
    ["example.com:443:80", "HOST:PORT"],
    ["2001:db8::1", "HOST:PORT"],
    ["[2001:db8::1%eth0]:22", "address range"],
    ["10.0.0.1/8:22", "beyond its length"],
    ["10.0.0.0/33", "address range"],
    ["10.0.0.0/8,private", "its own address class"],
    ["10.0.0.0/8,tls", "no name"],
    ["example.com,tls,http", "two protocols"],
    ["example.com,intern", "not an address range"],
    ["*", "too broad"],
    ["**", "too broad"],
    ["*.com", "too broad"],
    ["*.co.uk", "too broad"],
    ["**.amazonaws.com", "too broad"],
    ["*.s3.us-east-1.amazonaws.com", "too broad"],
    ["*.github.io", "too broad"],
    ["0.0.0.0/0:22", "too broad"],
    ["8.0.0.0/7:22", "too broad"],
    ["10.0.0.0/7:22", "too broad"],
    ["2000::/3:22", "too broad"],
  ])("--allow %j is refused: %s", (text, problem) => {
    const error = failure(() => compile({ allow: [text] }));
    expect(error.code).toBe("POLICY_INVALID");
    expect(error.message).toContain("--allow");
    expect(error.message).toContain(problem);
    expect(error.message).not.toMatch(/[\u0000-\u001f]/);
  });
});

describe("a policy file", () => {
  test("takes rules in full and in short", () => {
    const policy = compileFile(`
preset: locked
allow:
  - a.example:80
  - host: "**.corp.example"
    ports: [443, 8000-8010, 444]
    protocol: opaque
    addresses: [public, private]
    reason: internal services
  - { cidr: 10.20.0.0/16, ports: 5432 }
  - { host: "*.github.io", broad: true, reason: documentation }
  - { host: b.example, ports: "*", addresses: 10.0.0.0/8 }
deny:
  - "**.secret.example"
  - { host: c.example, ports: 22, reason: no shells }
  - cidr: 10.20.1.0/24
`);
    expect(allowed(policy)).toEqual([
      "a.example:80,http",
      "**.corp.example:443-444+8000-8010,opaque,public,private",
      "10.20.0.0/16:5432,opaque",
      "*.github.io:443,tls",
      "b.example:*,opaque,10.0.0.0/8",
    ]);
    expect(policy.allow[1]).toMatchObject({ source: "file", reason: "internal services" });
    expect(policy.deny.map((rule) => rule.text)).toEqual([
      "**.secret.example:*",
      "c.example:22",
      "10.20.1.0/24:*",
    ]);
  });

  test.each([
    ["", "1:1", "holds no policy"],
    ["# nothing\n", "1:1", "holds no policy"],
    ["- a.example\n", "1:1", "holds no policy"],
    ["open\n", "1:1", "holds no policy"],
    ["allow:\n", "1:1", "allow"],
    ["allow: [a.example\n", "2:1", "Flow sequence"],
    ["allow: []\nallow: []\n", "2:1", "unique"],
    ["allow: []\nalow: []\n", "2:1", "alow"],
    ["preset: devel\n", "1:1", "preset"],
    ["allow:\n  - a.example\n  - exam ple.com\n", "3:5", '" "'],
    ["allow:\n  - host: a.example\n    port: 80\n", "3:5", "port"],
    ["allow:\n  - host:\n", "2:5", "host"],
    ["allow:\n  - ports: 80\n", "2:5", "names no host"],
    ["allow:\n  - host: a.example\n    ports: 70000\n", "3:5", "ports"],
    ["allow:\n  - host: a.example\n    ports: [80, x]\n", "2:5", "not a port"],
    ["allow:\n  - host: a.example\n    protocol: udp\n", "3:5", "protocol"],
    ["allow:\n  - host: 10.0.0.0/8\n", "2:5", "not a host name"],
    ["allow:\n  - cidr: a.example\n", "2:5", "not a CIDR"],
    ["allow:\n  - { host: a.example, cidr: 10.0.0.0/8 }\n", "2:5", "both"],
    ['allow:\n  - host: "*.com"\n', "2:5", "too broad"],
    ['allow:\n  - host: "*.com"\n    broad: true\n', "2:5", "too broad"],
    ['allow:\n  - "*.com"\n', "2:5", "too broad"],
    ["deny:\n  - host: a.example\n    protocol: tls\n", "3:5", "protocol"],
    ["allow: &x [a.example]\ndeny: *x\n", "2:7", "alias"],
    ["allow: !!js [a.example]\n", "1:8", "tag"],
    ["allow: []\n---\nallow: []\n", "2:1", "document"],
    ["\tallow: []\n", "1:1", "ab"],
  ])("%j is refused at %s: %s", (text, place, problem) => {
    const error = failure(() => compileFile(text));
    expect(error.code).toBe("POLICY_INVALID");
    expect(error.message).toContain(`rules.yaml:${place}: `);
    expect(error.message).toContain(problem);
    expect(error.hint).toMatch(/[A-Z].*\.$/);
  });

  test("cut off in any place is an error or allows no more than the whole", () => {
    const whole =
      "preset: locked\nallow:\n  - host: a.example\n    ports: [80]\n  - b.example:22\n";
    const hosts = ["a.example", "b.example"];
    for (let end = 0; end < whole.length; end++) {
      const error = failure(() => {
        const policy = compileFile(whole.slice(0, end));
        expect(policy.preset).toBe("locked");
        expect(policy.allow.length).toBeLessThanOrEqual(hosts.length);
      });
      expect(["none", "POLICY_INVALID"]).toContain(error.code);
    }
  });
});
