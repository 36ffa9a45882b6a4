import { decode, encode, RECURSION_DESIRED, type RecordType } from "dns-packet";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseAddress } from "../address.ts";
import { compilePolicy } from "../policy/compile-policy.ts";
import { answerQuery, type NameAnswering } from "./dns.ts";
import type { HostName } from "../host-name.ts";
import { NEW_NAMES_MAX, NewNames } from "./new-names.ts";
import { SyntheticAddresses } from "./synthetic-addresses.ts";

let now = 0;

function answering(allow: string[], deny: string[] = []): NameAnswering {
  return {
    policy: compilePolicy({ preset: "locked", agentHosts: [], allow, deny }),
    names: new SyntheticAddresses(() => false),
    newNames: new NewNames(() => now),
    sandboxName: "box",
  };
}

function query(name: string, type: string): Buffer {
  const questions = [{ name, type: type as RecordType, class: "IN" as const }];
  return encode({ type: "query", id: 4711, flags: RECURSION_DESIRED, questions });
}

/** The answer as an independent reader sees it. */
function ask(context: NameAnswering, message: Buffer) {
  const reply = answerQuery(message, context);
  const decoded = decode(reply.message!) as ReturnType<typeof decode> & { rcode: string };
  const answers = (decoded.answers ?? []).map((each) => ("data" in each ? each.data : undefined));
  return { code: decoded.rcode, answers, id: decoded.id, outcome: reply.outcome };
}

describe("a refusal", () => {
  function askWithExtensions(name: string, payloadBytes: number): Buffer {
    const questions = [{ name, type: "A" as const }];
    const option = { type: "OPT", name: ".", udpPayloadSize: payloadBytes, flags: 0, options: [] };
    const additionals = [option] as unknown as NonNullable<
      Parameters<typeof encode>[0]["additionals"]
    >;
    const message = encode({ type: "query", id: 1, questions, additionals });
    return answerQuery(message, answering(["a.example"])).message!;
  }

  function explanationOf(message: Buffer): { code: number; text: string } | undefined {
    const [found] = decode(message).additionals ?? [];
    if (found?.type !== "OPT") return undefined;
    const data = (found.options[0] as { data: Buffer }).data;
    return { code: data.readUInt16BE(0), text: data.toString("utf8", 2) };
  }

  test("tells a client that understands extensions who refused, why, and what a person can do", () => {
    expect(explanationOf(askWithExtensions("evil.example", 1232))).toEqual({
      code: 15,
      text:
        "Refused by Cattlegrid's egress policy: no rule allows evil.example. " +
        "A person can allow it on the host with: cattlegrid policy allow box evil.example",
    });
  });

  test("stays within what the client takes, and says nothing to one that knows no extensions", () => {
    const long = `${"a".repeat(60)}.${"b".repeat(60)}.${"c".repeat(60)}.example`;
    expect(askWithExtensions(long, 100).length).toBe(512);
    expect(decode(askWithExtensions(long, 512))).toMatchObject({ rcode: "REFUSED" });
    const reply = answerQuery(query("evil.example", "A"), answering([])).message!;
    expect(decode(reply).additionals).toEqual([]);
    expect(explanationOf(askWithExtensions("a.example", 1232))).toBeUndefined();
  });
});

describe("a name that policy may allow", () => {
  test("gets an address of ours, always the same one", () => {
    const context = answering(["a.example", "b.example:22"]);
    const first = ask(context, query("a.example", "A"));
    expect(first).toMatchObject({ code: "NOERROR", id: 4711, answers: ["198.18.0.1"] });
    expect(first.outcome).toMatchObject({ action: "allow", name: "a.example", queryType: "A" });
    expect(ask(context, query("b.example", "A")).answers).toEqual(["198.18.0.2"]);
    expect(ask(context, query("A.eXample", "A")).answers).toEqual(["198.18.0.1"]);
  });

  test.each(["AAAA", "UNKNOWN_64", "UNKNOWN_65"])("has no %s, and no error", (type) => {
    const reply = ask(answering(["a.example"]), query("a.example", type));
    expect(reply).toMatchObject({ code: "NOERROR", answers: [], outcome: undefined });
  });

  test.each(["TXT", "MX", "NULL", "SRV", "NS", "SOA", "CNAME", "ANY"])(
    "is refused for %s",
    (type) => {
      const reply = ask(answering(["a.example"]), query("a.example", type));
      expect(reply).toMatchObject({ code: "REFUSED", answers: [] });
      expect(reply.outcome).toMatchObject({ action: "deny", code: "query-type", queryType: type });
    },
  );

  test("is what its address points back to", () => {
    const context = answering(["a.example"]);
    ask(context, query("a.example", "A"));
    expect(ask(context, query("1.0.18.198.in-addr.arpa", "PTR")).answers).toEqual(["a.example"]);
    expect(ask(context, query("2.0.18.198.in-addr.arpa", "PTR")).code).toBe("REFUSED");
    expect(ask(context, query("1.0.0.127.in-addr.arpa", "PTR")).code).toBe("REFUSED");
  });
});

describe("a wildcard rule", () => {
  const invented = (at: number): string => `${"c2VjcmV0".repeat(7)}.n${at}.x.example`;
  const askAll = (context: NameAnswering, count: number) =>
    Array.from({ length: count }, (_, at) => ask(context, query(invented(at), "A")));

  test("gives new names under a wildcard only so often, and tells why", () => {
    const context = answering(["**.x.example", "a.x.example"]);
    const answers = askAll(context, NEW_NAMES_MAX + 5);
    expect(answers.filter(({ code }) => code === "NOERROR")).toHaveLength(NEW_NAMES_MAX);
    expect(answers.at(-1)).toMatchObject({
      code: "REFUSED",
      outcome: {
        action: "deny",
        code: "too-many-names",
        rule: { text: "**.x.example:443,tls" },
        reason: expect.stringContaining("looks like data in names"),
      },
    });
    // What is known, and what a rule names, is not new.
    expect(ask(context, query(invented(0), "A")).code).toBe("NOERROR");
    expect(ask(context, query("a.x.example", "A")).code).toBe("NOERROR");
    now += 60_000;
    expect(ask(context, query(invented(NEW_NAMES_MAX), "A")).code).toBe("NOERROR");
  });

  test("for every name there is gives as many as are asked for", () => {
    const context = answering([]);
    context.policy = compilePolicy({ preset: "open", agentHosts: [], allow: [], deny: [] });
    expect(askAll(context, 200).every(({ code }) => code === "NOERROR")).toBe(true);
  });
});

describe("every other name", () => {
  test.each(["A", "AAAA", "TXT", "NULL", "MX", "HTTPS"])("is refused at once for %s", (type) => {
    const name = "c2VjcmV0.exfiltrate.example";
    const reply = ask(answering(["a.example"]), query(name, type.replace("HTTPS", "UNKNOWN_65")));
    expect(reply).toMatchObject({ code: "REFUSED", answers: [] });
    expect(reply.outcome).toMatchObject({ action: "deny", code: "no-rule", name, queryType: type });
  });

  test("is refused with the rule that denies it", () => {
    const context = answering(["**.c.example"], ["b.c.example"]);
    expect(ask(context, query("a.c.example", "A")).code).toBe("NOERROR");
    const reply = ask(context, query("b.c.example", "A"));
    expect(reply.code).toBe("REFUSED");
    expect(reply.outcome?.rule?.text).toBe("b.c.example:*");
  });

  test("takes no place in the table of addresses", () => {
    const context = answering(["a.example"]);
    for (let index = 0; index < 100; index++) ask(context, query(`n${index}.evil.example`, "A"));
    expect(ask(context, query("a.example", "A")).answers).toEqual(["198.18.0.1"]);
  });

  test("with bytes that no host name has is refused and shown harmless", () => {
    const message = query("a-b.c.example", "A");
    message[13 + 1] = 0x0a;
    const reply = ask(answering(["**.c.example"]), message);
    expect(reply.code).toBe("REFUSED");
    expect(reply.outcome).toMatchObject({ code: "name-malformed" });
    expect(reply.outcome?.name).toMatch(/^[\x21-\x7e]*$/);
  });

  test("in which a dot hides inside a label is not the name it looks like", () => {
    const message = query("aXexample", "A");
    message[13 + 1] = 0x2e;
    expect(ask(answering(["a.example"]), message).code).toBe("REFUSED");
  });
});

describe("bytes that are no query", () => {
  test("get no answer when they are too short or an answer themselves", () => {
    const context = answering(["a.example"]);
    expect(answerQuery(Buffer.alloc(11), context)).toEqual({});
    const questions = [{ name: "a.example", type: "A" as const }];
    expect(answerQuery(encode({ type: "response", questions }), context)).toEqual({});
  });

  test.each([
    ["two questions", (message: Buffer) => message.writeUInt16BE(2, 4)],
    ["no question", (message: Buffer) => message.writeUInt16BE(0, 4)],
    ["another operation", (message: Buffer) => message.writeUInt16BE(0x2900, 2)],
    ["a label beyond the end", (message: Buffer) => message.writeUInt8(63, 12)],
    ["a compressed name", (message: Buffer) => message.writeUInt16BE(0xc00c, 12)],
  ])("with %s are answered as malformed", (_what, change) => {
    const message = query("a.example", "A");
    change(message);
    const reply = answerQuery(message, answering(["a.example"]));
    expect(reply.message?.readUInt16BE(0)).toBe(4711);
    expect((reply.message?.[3] ?? 0) & 0xf).toBe(1);
    expect(reply.outcome).toMatchObject({ action: "deny", code: "query-malformed" });
  });

  test("never make it throw nor answer with more than was asked for", () => {
    const valid = query("a.example", "A");
    const change = fc.tuple(fc.nat({ max: valid.length - 1 }), fc.nat({ max: 255 }));
    const mutated = fc.array(change, { maxLength: 6 }).map((changes) => {
      const bytes = Buffer.from(valid);
      for (const [at, value] of changes) bytes[at] = value;
      return bytes;
    });
    const garbage = fc.uint8Array({ maxLength: 600 }).map((bytes) => Buffer.from(bytes));
    const context = answering(["a.example"]);
    fc.assert(
      fc.property(fc.oneof(mutated, garbage), (bytes) => {
        const { message } = answerQuery(bytes, context);
        expect(message?.length ?? 0).toBeLessThanOrEqual(Math.max(12, bytes.length) + 16);
      }),
      { numRuns: 2000 },
    );
  });
});

describe("the table of addresses", () => {
  const names = Array.from({ length: 6 }, (_, index) => `n${index}.example` as HostName);

  test("forgets the name that was longest unused, but none with open connections", () => {
    const table = new SyntheticAddresses((name) => name === names[0], 3);
    for (const name of names.slice(0, 3)) table.assign(name);
    table.find(parseAddress("198.18.0.2")!);
    expect(table.assign(names[3]!)).toBe("198.18.0.4");
    const found = [1, 2, 3, 4].map((last) => table.find(parseAddress(`198.18.0.${last}`)!));
    expect(found).toEqual([names[0], names[1], undefined, names[3]]);
  });

  test("gives no address when every name has open connections", () => {
    const table = new SyntheticAddresses(() => true, 2);
    expect(names.slice(0, 3).map((name) => table.assign(name))).toEqual([
      "198.18.0.1",
      "198.18.0.2",
      undefined,
    ]);
    expect(table.assign(names[0]!)).toBe("198.18.0.1");
  });

  test("walks its whole range before an address means another name", () => {
    const table = new SyntheticAddresses(() => false, 1);
    const seen = new Set<string | undefined>();
    for (let index = 0; index < 131_070; index++) seen.add(table.assign(`n${index}` as HostName));
    expect(seen.size).toBe(131_070);
    expect(seen.has("198.19.255.254")).toBe(true);
    expect(table.assign("again.example" as HostName)).toBe("198.18.0.1");
  });
});
