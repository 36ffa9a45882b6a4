/** DNS queries in odd and broken forms: each is answered from policy alone, as an independent reader reads it. */
import { decode } from "dns-packet";
import { expect, test } from "vitest";
import { compilePolicy } from "../../src/egress/policy/compile-policy.ts";
import { answerQuery, type DnsReply, type NameAnswering } from "../../src/egress/dns/dns.ts";
import { readQuery } from "../../src/egress/dns/dns-message.ts";
import { NewNames } from "../../src/egress/dns/new-names.ts";
import { SyntheticAddresses } from "../../src/egress/dns/synthetic-addresses.ts";
import { Mutator, readCorpus } from "../support/mutation.ts";

const TOKENS = [
  "\0",
  "\x01a",
  "\xc0\x0c",
  "\x07example",
  "\x01*",
  "\0\0\x29\x04\xd0",
  "\x3f",
  "\xff",
];
const CASES = 20_000;

function answering(isLearning: boolean): NameAnswering {
  return {
    policy: compilePolicy({ preset: "locked", agentHosts: [], allow: ["a.example"], deny: [] }),
    names: new SyntheticAddresses(() => false),
    newNames: new NewNames(),
    sandboxName: "box",
    isLearning,
  };
}

/** What an independent reader makes of it; undefined when it makes nothing. */
function readElsewhere(message: Buffer): ReturnType<typeof decode> | undefined {
  try {
    return decode(message);
  } catch (error) {
    if (error instanceof Error) return undefined;
    throw error;
  }
}

/** The first name that is asked for; bytes behind the question are nothing to us, but the other reader may stumble. */
function askedFor(query: Buffer): string {
  const name = readElsewhere(query)?.questions?.[0]?.name ?? "a.example";
  return name.toLowerCase().replace(/\.$/, "");
}

/** What is wrong with a reply; undefined when nothing is. */
function findFault(query: Buffer, { message, outcome }: DnsReply): string | undefined {
  const isAllowed = outcome?.action === "allow";
  if (isAllowed && askedFor(query) !== "a.example") return "another name is allowed";
  if (message === undefined) return isAllowed ? "an allowed name has no answer" : undefined;
  return message.length > 1232
    ? "the answer is too long"
    : compareAnswer(query, message, isAllowed);
}

function compareAnswer(query: Buffer, message: Buffer, isAllowed: boolean): string | undefined {
  const answer = readElsewhere(message);
  if (answer?.type !== "response" || answer.id !== query.readUInt16BE(0)) return "it is no answer";
  const addresses = (answer.answers ?? []).filter(({ type }) => type === "A");
  return addresses.length === Number(isAllowed) ? undefined : "addresses and outcome differ";
}

test("no query makes it throw, and only the allowed name gets an address", () => {
  const context = answering(false);
  const corpus = readCorpus("dns-query");
  const mutator = new Mutator(corpus.values(), { seed: 11, tokens: TOKENS });
  let allowed = 0;
  for (const bytes of [...corpus.values(), ...take(mutator, CASES)]) {
    const reply = answerQuery(bytes, context);
    if (reply.outcome?.action === "allow") allowed += 1;
    expect(findFault(bytes, reply)).toBeUndefined();
  }
  expect(allowed).toBeGreaterThan(10);
});

test("a name that is read here is the name that another reader reads", () => {
  const mutator = new Mutator(readCorpus("dns-query").values(), { seed: 12, tokens: TOKENS });
  let compared = 0;
  for (const bytes of take(mutator, CASES)) {
    const reading = readQuery(bytes);
    if (reading.kind !== "query" || reading.query.name === undefined) continue;
    const [question] = readElsewhere(bytes)?.questions ?? [];
    if (question === undefined) continue;
    compared += 1;
    expect(question.name.replace(/^\.$/, "")).toBe(reading.query.name);
  }
  expect(compared).toBeGreaterThan(100);
});

test("learning never throws either, and lets no other name be called allowed", () => {
  const context = answering(true);
  const mutator = new Mutator(readCorpus("dns-query").values(), { seed: 13, tokens: TOKENS });
  for (const bytes of take(mutator, CASES / 4)) {
    const { outcome } = answerQuery(bytes, context);
    if (outcome?.action !== "allow") continue;
    expect(outcome.name?.toLowerCase().replace(/\.$/, "")).toBe("a.example");
  }
});

function* take(mutator: Mutator, count: number): Generator<Buffer> {
  for (let index = 0; index < count; index += 1) yield mutator.next();
}
