import fc from "fast-check";
import type { Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { describe, expect, test } from "vitest";
import {
  openYard,
  policyOf,
  type GatewayRig,
  type Peer,
} from "../../../test/support/gateway-rig.ts";
import type { EgressRecord } from "../../protocol/egress.ts";
import { parseAddress } from "../address.ts";
import { forecastDecision } from "./forecast.ts";
import { readWish, type Wish } from "./wish.ts";

const yard = openYard();

interface Asked {
  scheme: "https" | "http" | "ssh";
  name: string;
  port: number;
  path: string;
  method: string;
}

/** What a client of that kind sends first. */
function speak(client: Socket, { scheme, name, port, path, method }: Asked): void {
  if (scheme === "https") {
    const tls = connectTls({ socket: client, servername: name, rejectUnauthorized: false });
    tls.on("error", () => undefined);
  } else if (scheme === "http") {
    client.write(`${method} ${path} HTTP/1.1\r\nHost: ${name}:${port}\r\n\r\n`);
  } else client.write("SSH-2.0-test\r\n");
}

interface Outcome {
  action: string;
  code: string;
  rule: string | undefined;
}

function outcomeOf({ action, reasonCode, rule }: EgressRecord): Outcome {
  return { action, code: reasonCode, rule: rule?.id };
}

/** What the gateway recorded when a client really tried. */
async function attempt(rig: GatewayRig, asked: Asked, isInspected: boolean): Promise<Outcome> {
  const address = await rig.lookup(asked.name);
  if (address === "REFUSED") return outcomeOf(await rig.recorded({ kind: "dns", action: "deny" }));
  const client = await rig.dial(address, asked.port);
  client.on("data", () => undefined);
  speak(client, asked);
  const opened = await rig.recorded({ kind: "connect" });
  if (opened.action === "deny" || !isInspected) return outcomeOf(opened);
  return outcomeOf(await rig.recorded({ kind: "request" }));
}

const NAMES = ["a.x.example", "b.x.example", "c.example"];

function placesOf(ports: readonly number[]) {
  const host = fc.constantFrom(...NAMES, "*.x.example", "**.x.example");
  return fc.tuple(host, fc.constantFrom(...ports)).map(([name, port]) => `${name}:${port}`);
}

function rulesOf(ports: readonly number[]) {
  const place = placesOf(ports);
  const words = fc.constantFrom("", ",opaque", ",http", ",tls", ",http,GET", ",opaque,127.0.0.1");
  const path = fc.constantFrom("/a/**,http", "/a/b,http,GET", "/*,http");
  const allow = fc.oneof(
    fc.tuple(place, words).map((parts) => parts.join("")),
    fc.tuple(place, path).map((parts) => parts.join("")),
  );
  const deny = fc.oneof(
    place,
    fc.constantFrom(...NAMES, "*.x.example"),
    fc.tuple(place, fc.constantFrom("/a/**", ",POST")).map((parts) => parts.join("")),
    fc.constantFrom("127.0.0.0/8", "10.0.0.0/8"),
  );
  return fc.record({
    allow: fc.array(allow, { maxLength: 4 }),
    deny: fc.array(deny, { maxLength: 2 }),
  });
}

function askedOf(ports: readonly number[]) {
  return fc.record({
    scheme: fc.constantFrom<Asked["scheme"]>("https", "http", "ssh"),
    name: fc.constantFrom(...NAMES),
    port: fc.constantFrom(...ports),
    path: fc.constantFrom("/", "/a/b", "/a/c?d", "/A/b", "/a/../b", "/a%2fb"),
    method: fc.constantFrom("GET", "POST"),
  });
}

function wishOf(asked: Asked): Wish {
  const url = `${asked.scheme}://${asked.name}:${asked.port}${asked.path}`;
  const wish = readWish(url, { method: asked.method });
  if (!wish.ok) throw new TypeError(wish.problem);
  return wish.value;
}

/** Forecast and gateway, asked the same under the same policy. */
async function compare(
  rules: { allow: string[]; deny: string[] },
  asked: Asked,
  outside: { peer: Peer; address?: string },
): Promise<void> {
  const policy = policyOf(rules);
  const { peer, address } = outside;
  const parsed = parseAddress(address ?? "");
  const wish = { ...wishOf(asked), ...(parsed === undefined ? {} : { address: parsed }) } as Wish;
  const { decision } = forecastDecision(policy, wish);
  const opening = forecastDecision(policy, {
    ...wish,
    http: undefined,
  } as unknown as Wish).decision;
  const isInspected = opening.action === "allow" && opening.inspect;
  const target = `127.0.0.1:${peer.port}`;
  const rig = await yard.rig({
    ...rules,
    ...(address === undefined
      ? { mirrors: `${asked.name}:${asked.port}=${target}` }
      : { addresses: { [asked.name]: [address] } }),
  });
  // The rig has no authority: what it would inspect it must refuse.
  const cannotInspect = isInspected && asked.scheme === "https";
  const happened = await attempt(rig, asked, isInspected && !cannotInspect);
  await rig.close();
  const foretold = { action: decision.action, code: decision.code, rule: decision.rule?.id };
  expect(cannotInspect ? "inspection-unavailable" : happened).toEqual(
    cannotInspect ? happened.code : foretold,
  );
}

describe("what `policy check` foretells", () => {
  test("is what the gateway does, with the same rule, for every policy and wish", async () => {
    const peer = await yard.peer();
    const ports = [80, 443, 9000];
    await fc.assert(
      fc.asyncProperty(rulesOf(ports), askedOf(ports), (rules, asked) =>
        compare(rules, asked, { peer }),
      ),
      { numRuns: 150 },
    );
  });

  test("holds for the address that a name resolves to", async () => {
    const peer = await yard.peer();
    const ports = [peer.port];
    const addresses = fc.constantFrom("127.0.0.1", "169.254.169.254", "::1");
    await fc.assert(
      fc.asyncProperty(rulesOf(ports), askedOf(ports), addresses, (rules, asked, address) =>
        compare(rules, asked, { peer, address }),
      ),
      { numRuns: 80 },
    );
  });
});
