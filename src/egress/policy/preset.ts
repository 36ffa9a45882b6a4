import { parseRange } from "../address.ts";
import { explainBroadHost } from "./broad-host.ts";
import { DEVELOPMENT_HOSTS } from "./development-hosts.ts";
import { CattlegridError } from "../../errors/error.ts";
import { readHostPattern } from "../host-name.ts";
import type { PolicyHost } from "./policy-host.ts";
import type { PolicyPreset } from "./policy.ts";
import { EVERY_PORT, mergePorts } from "./port-set.ts";
import { defaultProtocol } from "./rule-text.ts";
import { makeAllowRule, PUBLIC_ADDRESSES, type AllowRule, type RuleSource } from "./rule.ts";

export const PRESET_SUMMARIES: Readonly<Record<PolicyPreset, string>> = {
  locked: "nothing",
  agent: "the hosts that the agent declares, each with its reason",
  dev: "what agent allows, and package registries and forges; many of them can carry data out",
  open: "everything public on every port; never loopback, link-local, metadata or private addresses",
};

/** What a preset allows. Throws POLICY_INVALID for an agent that declares what no rule may say. */
export function presetRules(
  preset: PolicyPreset,
  agentHosts: readonly PolicyHost[],
): readonly AllowRule[] {
  switch (preset) {
    case "locked":
      return [];
    case "agent":
      return agentHosts.map((host) => hostRule(host, "agent"));
    case "dev":
      return [
        ...agentHosts.map((host) => hostRule(host, "agent")),
        ...DEVELOPMENT_HOSTS.map((host) => hostRule(host, "preset")),
      ];
    case "open":
      return openRules();
  }
}

function hostRule(declared: PolicyHost, source: RuleSource): AllowRule {
  const pattern = readHostPattern(declared.host);
  const port = declared.port ?? 443;
  if (!pattern.ok) throw failHost(declared, pattern.problem);
  const target = { kind: "host" as const, pattern: pattern.value };
  const broad = explainBroadHost(target.pattern);
  if (broad !== undefined) throw failHost(declared, broad);
  const ports = mergePorts([{ first: port, last: port }]);
  return makeAllowRule({
    source,
    target,
    ports,
    protocol: declared.protocol ?? defaultProtocol(target, ports),
    addresses: PUBLIC_ADDRESSES,
    reason: declared.reason,
  });
}

/** The ranges grant public addresses only: they are wider than every private range. */
function openRules(): readonly AllowRule[] {
  const targets = [
    { kind: "host" as const, pattern: { kind: "tree" as const, name: "" as const } },
    ...["0.0.0.0/0", "::/0"].flatMap((text) => {
      const range = parseRange(text);
      return range === undefined ? [] : [{ kind: "range" as const, range }];
    }),
  ];
  return targets.map((target) =>
    makeAllowRule({
      source: "preset",
      target,
      ports: EVERY_PORT,
      protocol: "opaque",
      addresses: PUBLIC_ADDRESSES,
      reason: "the preset open allows everything public",
    }),
  );
}

function failHost(declared: PolicyHost, problem: string): CattlegridError {
  const message = `The agent declares the host "${declared.host}": ${problem}.`;
  return new CattlegridError("POLICY_INVALID", message, { hint: "Correct the agent adapter." });
}
