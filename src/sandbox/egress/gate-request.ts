import type { AgentAdapter } from "../../agent/agent.ts";
import { hostsIn } from "../../agent/regions.ts";
import type { PolicyChange } from "../../egress/policy/compile-policy.ts";
import type { PolicyChangeRow } from "../../store/policy-change-rows.ts";
import type { SandboxRow, StoredSpecification } from "../../store/sandbox-rows.ts";
import type { GateRequest } from "./gates.ts";

export interface GateParts {
  agent: AgentAdapter;
  /** Stored ones; those of sessions come after them. */
  changes: readonly PolicyChangeRow[];
  sessionRules?: readonly PolicyChange[];
  mirrors: StoredSpecification["mirrors"];
  isLearning?: boolean;
}

/** What a stored sandbox's policy is made of. */
export function describeGate(row: SandboxRow, parts: GateParts): GateRequest {
  const { policy, allow, deny, regions, template } = row.specification;
  return {
    sandboxId: row.id,
    sandboxName: row.name,
    ...policy,
    allow,
    deny,
    above: template,
    changes: [...parts.changes.map(readChange), ...(parts.sessionRules ?? [])],
    isLearning: parts.isLearning === true,
    hosts: hostsIn(parts.agent, regions),
    mirrors: parts.mirrors,
  };
}

function readChange({ action, rule, reason, broad }: PolicyChangeRow): PolicyChange {
  if (action === "remove") return { action, ruleId: rule };
  return { action, rule, source: "change", reason, broad };
}
