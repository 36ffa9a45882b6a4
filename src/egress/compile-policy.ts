import { CattlegridError } from "../errors/error.ts";
import { parseRange } from "./address.ts";
import { readHostPattern } from "./host-name.ts";
import { readPolicyFile } from "./policy-file.ts";
import { POLICY_PRESETS, type EgressPolicy, type PolicyPreset } from "./policy.ts";
import { EVERY_PORT, mergePorts } from "./port-set.ts";
import {
  defaultProtocol,
  explainBroad,
  readAllowText,
  readDenyText,
  type Reading,
} from "./rule-text.ts";
import { makeAllowRule, PUBLIC_ADDRESSES, type AllowRule, type Protocol } from "./rule.ts";

/** A host the agent declares; an adapter's `AgentHost` is one. */
export interface PolicyHost {
  host: string;
  /** Default 443. */
  port?: number;
  /** Default: tls on 443, http on 80, else opaque. */
  protocol?: Protocol;
  reason: string;
}

export interface PolicyOptions {
  /**
   * `locked`, `agent` or `open`. Default: what the file says; a file that names none is the whole policy
   * (`locked`); without a file `agent`.
   */
  preset?: string | undefined;
  file?: { path: string; text: string } | undefined;
  agentHosts: readonly PolicyHost[];
  /** Short forms of `--allow` and `--deny`. */
  allow: readonly string[];
  deny: readonly string[];
}

/** Makes the policy of one sandbox from all its layers. Throws POLICY_INVALID or POLICY_UNKNOWN. Pure. */
export function compilePolicy(options: PolicyOptions): EgressPolicy {
  const file = options.file === undefined ? undefined : readPolicyFile(options.file);
  const preset = choosePreset(options.preset ?? file?.preset, file === undefined);
  const allow = [
    ...presetRules(preset, options.agentHosts),
    ...(file?.allow ?? []),
    ...options.allow.map((text) => takeFlag("--allow", text, readAllowText(text, "flag"))),
  ];
  const deny = [
    ...(file?.deny ?? []),
    ...options.deny.map((text) => takeFlag("--deny", text, readDenyText(text, "flag"))),
  ];
  return { preset, allow: distinct(allow), deny: distinct(deny), ceilings: [] };
}

function choosePreset(name: string | undefined, isWithoutFile: boolean): PolicyPreset {
  if (name === undefined) return isWithoutFile ? "agent" : "locked";
  const preset = POLICY_PRESETS.find((each) => each === name);
  if (preset !== undefined) return preset;
  throw new CattlegridError("POLICY_UNKNOWN", `There is no policy preset "${name}".`);
}

function presetRules(preset: PolicyPreset, hosts: readonly PolicyHost[]): readonly AllowRule[] {
  switch (preset) {
    case "locked":
      return [];
    case "agent":
      return hosts.map(agentRule);
    case "open":
      return openRules();
  }
}

function agentRule(declared: PolicyHost): AllowRule {
  const pattern = readHostPattern(declared.host);
  const port = declared.port ?? 443;
  if (!pattern.ok) throw failAgentHost(declared, pattern.problem);
  const target = { kind: "host" as const, pattern: pattern.value };
  const broad = explainBroad(target);
  if (broad !== undefined) throw failAgentHost(declared, broad);
  const ports = mergePorts([{ first: port, last: port }]);
  return makeAllowRule({
    source: "agent",
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

function takeFlag<T>(flag: string, text: string, reading: Reading<T>): T {
  if (reading.ok) return reading.value;
  const shown = JSON.stringify(text);
  throw new CattlegridError("POLICY_INVALID", `${flag} ${shown}: ${reading.problem}`, {
    hint: reading.fix,
  });
}

function failAgentHost(declared: PolicyHost, problem: string): CattlegridError {
  const message = `The agent declares the host "${declared.host}": ${problem}.`;
  return new CattlegridError("POLICY_INVALID", message, { hint: "Correct the agent adapter." });
}

function distinct<R extends { id: string }>(rules: readonly R[]): readonly R[] {
  return [...new Map(rules.map((rule) => [rule.id, rule])).values()];
}
