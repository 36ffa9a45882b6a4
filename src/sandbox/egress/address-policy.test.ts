import { describe, expect, test } from "vitest";
import { compilePolicy } from "../../egress/policy/compile-policy.ts";
import type { AddressPolicy } from "../provider.ts";
import { addressPolicyOf } from "./address-policy.ts";

interface Said {
  preset?: string;
  allow?: readonly string[];
  deny?: readonly string[];
}

const HOSTS = [{ host: "agent.example", reason: "the agent's own" }];

function inAddresses({ preset, allow = [], deny = [] }: Said): AddressPolicy | undefined {
  return addressPolicyOf(compilePolicy({ preset, allow, deny, agentHosts: HOSTS, ceilings: [] }));
}

describe("a policy in the words of a backend that knows addresses alone", () => {
  test("locked is nothing, and open is everything, since whoever says so wants nobody to look", () => {
    expect(inAddresses({ preset: "locked" })).toEqual({ reach: "nothing" });
    expect(inAddresses({ preset: "locked", deny: ["a.example"] })).toEqual({ reach: "nothing" });
    expect(inAddresses({ preset: "open" })).toEqual({ reach: "everything" });
    expect(inAddresses({ preset: "open", allow: ["a.example"] })).toEqual({ reach: "everything" });
  });

  test("ranges with every port and any bytes are ranges", () => {
    const allow = ["192.0.2.0/24:*,opaque", "198.51.100.7/32:*,opaque"];
    const cidrs = ["192.0.2.0/24", "198.51.100.7/32"];
    expect(inAddresses({ preset: "locked", allow })).toEqual({ reach: "ranges", cidrs });
  });

  test.each<[string, Said]>([
    ["the agent's hosts", { preset: "agent" }],
    ["registries", { preset: "dev" }],
    ["a name", { preset: "locked", allow: ["a.example"] }],
    ["a port of a range", { preset: "locked", allow: ["192.0.2.0/24:22"] }],
    ["a range and a name", { preset: "locked", allow: ["192.0.2.0/24:*,opaque", "a.example"] }],
    ["an exception to everything", { preset: "open", deny: ["a.example"] }],
  ])("%s is more than addresses can say", (_what, said) => {
    expect(inAddresses(said)).toBe(undefined);
  });

  test("what an organisation limits is more than addresses can say", () => {
    const text = "allow: [{ host: '**', ports: '*', protocol: opaque, broad: true, reason: all }]";
    const ceilings = [{ layer: "organisation" as const, path: "/etc/policy.yaml", text }];
    const policy = compilePolicy({
      preset: "open",
      allow: [],
      deny: [],
      agentHosts: HOSTS,
      ceilings,
    });
    expect(addressPolicyOf(policy)).toBe(undefined);
  });
});
