import type { AgentRegistry } from "../../agent/registry.ts";
import { learn } from "../../egress/advice/learn.ts";
import { readWish } from "../../egress/advice/wish.ts";
import type { CeilingState } from "../../egress/ceiling/ceilings.ts";
import type { PolicyChange } from "../../egress/policy/compile-policy.ts";
import { findRules } from "../../egress/policy/policy-rules.ts";
import type { EgressPolicy } from "../../egress/policy/policy.ts";
import { CattlegridError } from "../../errors/error.ts";
import type { Logger } from "../../platform/logger.ts";
import type { EgressRecord } from "../../protocol/egress.ts";
import type {
  LearnedPolicy,
  Policy,
  PolicyQuestion,
  PolicyForecast,
  RuleAdded,
  RuleAddition,
  RulesRemoved,
} from "../../protocol/policy.ts";
import type { SandboxRow } from "../../store/sandbox-rows.ts";
import type { Store } from "../../store/store.ts";
import type { Lifecycle } from "../life/lifecycle.ts";
import { OperationQueues } from "../life/operation-queues.ts";
import { demandedEgress, requireEgress } from "../making/demands.ts";
import { findAgent } from "../registry.ts";
import { ChangedRules } from "./changed-rules.ts";
import { showForecast } from "./forecast-view.ts";
import { describeGate } from "./gate-request.ts";
import type { Gates } from "./gates.ts";
import { findAdded, judgeAddition, tellDifference } from "./policy-change.ts";
import { PolicyEnforcement } from "./policy-enforcement.ts";
import { showLearned, showPolicy, showRule } from "./policy-view.ts";

export interface PoliciesOptions {
  store: Pick<Store, "sandboxes" | "policyChanges" | "sessions">;
  agents: AgentRegistry;
  gates: Gates;
  /** What runs now, and its gates. */
  lifecycle: Pick<Lifecycle, "gate" | "running">;
  logger: Logger;
  now(): Date;
}

/** The egress policies of stored sandboxes: shown, asked and changed while they run or not. Ids must exist. */
export interface Policies {
  show(id: string): Promise<Policy>;
  /** Holds when this resolves. Throws POLICY_INVALID, POLICY_BEYOND_CEILING or SESSION_NOT_FOUND. */
  add(id: string, addition: RuleAddition): Promise<RuleAdded>;
  /** By id or text. Throws POLICY_RULE_UNKNOWN or POLICY_RULE_FIXED. */
  remove(id: string, rule: string): Promise<RulesRemoved>;
  /** What the gateway would decide. Throws REQUEST_INVALID. */
  check(id: string, question: PolicyQuestion): Promise<PolicyForecast>;
  /** The smallest policy that would have allowed what is recorded. */
  learned(id: string): Promise<LearnedPolicy>;
  /** Puts what is stored and what the ceilings say now into force. Never rejects: what cannot be read lets nothing out. */
  refresh(id: string): Promise<void>;
  /** The same for every sandbox that runs, and what came of it into its record. */
  renew(ceilings: readonly CeilingState[]): Promise<void>;
  /** Takes back what was granted for one session. */
  endSession(id: string, sessionId: string): Promise<void>;
}

export function createPolicies(options: PoliciesOptions): Policies {
  return new StoredPolicies(options);
}

class StoredPolicies implements Policies {
  readonly #options: PoliciesOptions;
  readonly #rules: ChangedRules;
  readonly #enforcement: PolicyEnforcement;
  /** Changes of one sandbox happen one after the other. */
  readonly #queues = new OperationQueues();

  constructor(options: PoliciesOptions) {
    this.#options = options;
    this.#rules = new ChangedRules(options);
    this.#enforcement = new PolicyEnforcement(options);
  }

  async show(id: string): Promise<Policy> {
    const row = await this.#getRow(id);
    return showPolicy(row.name, await this.#compile(row));
  }

  add(id: string, addition: RuleAddition): Promise<RuleAdded> {
    return this.#queues.run(id, () => this.#add(id, addition));
  }

  remove(id: string, rule: string): Promise<RulesRemoved> {
    return this.#queues.run(id, () => this.#remove(id, rule));
  }

  async check(id: string, question: PolicyQuestion): Promise<PolicyForecast> {
    const row = await this.#getRow(id);
    const { url, method, address } = question;
    const wish = readWish(url, { method, address });
    if (wish.ok) return showForecast(await this.#compile(row), wish.value, row.name);
    const details = { hint: wish.fix };
    throw new CattlegridError("REQUEST_INVALID", `${url}: ${wish.problem}.`, details);
  }

  async learned(id: string): Promise<LearnedPolicy> {
    const policy = await this.#compile(await this.#getRow(id));
    const { signal } = new AbortController();
    const records: EgressRecord[] = [];
    for await (const record of this.#options.gates.read(id, { follow: false, signal })) {
      records.push(record);
    }
    return showLearned(policy, learn(policy, records));
  }

  async renew(ceilings: readonly CeilingState[]): Promise<void> {
    const broken = ceilings.flatMap(({ problem }) => problem ?? []);
    const rows = await this.#options.store.sandboxes.list();
    const renewed = rows.map(async ({ id }) => {
      const before = this.#enforcement.gate(id)?.policy;
      if (before === undefined) return;
      await this.refresh(id);
      this.#enforcement.tellCeilings(id, before, broken);
    });
    await Promise.all(renewed);
  }

  refresh(id: string): Promise<void> {
    const compile = async (): Promise<EgressPolicy> => this.#compile(await this.#getRow(id));
    return this.#queues.run(id, () => this.#enforcement.refresh(id, compile));
  }

  endSession(id: string, sessionId: string): Promise<void> {
    return this.#queues.run(id, async () => {
      if (!this.#rules.hasForSession(id, sessionId)) return;
      const row = await this.#options.store.sandboxes.get(id);
      if (row === undefined) return this.#rules.forgetSession(id, sessionId);
      const before = await this.#compile(row);
      this.#rules.forgetSession(id, sessionId);
      const after = await this.#compile(row);
      const told = tellDifference(before, after, "it ended with its session");
      await this.#enforcement.change(id, after, told);
    });
  }

  async #add(id: string, addition: RuleAddition): Promise<RuleAdded> {
    const row = await this.#getRow(id);
    const { effect, reason, broad = false, session } = addition;
    if (session !== undefined) await this.#rules.requireOpenSession(id, session);
    const source = session === undefined ? "change" : "session";
    const change = { action: effect, rule: addition.rule, source, reason, broad } as const;
    const policy = await this.#compile(row, [change]);
    requireOffer(row, policy);
    const rule = findAdded(policy, change);
    const notice = judgeAddition(policy, rule, row.name);
    if (session === undefined) await this.#rules.add(id, change, rule.text);
    else this.#rules.addForSession(id, session, change);
    const told = [{ rule, what: `a person added it (${source})` }];
    await this.#enforcement.change(id, policy, told);
    return { rule: showRule(rule), ...(notice === undefined ? {} : { notice }) };
  }

  async #remove(id: string, text: string): Promise<RulesRemoved> {
    const row = await this.#getRow(id);
    const found = findRules(await this.#compile(row), text);
    for (const rule of found) await this.#rules.remove(id, rule);
    const told = found.map((rule) => ({ rule, what: "a person took it away" }));
    await this.#enforcement.change(id, await this.#compile(row), told);
    return { rules: found.map(showRule) };
  }

  async #compile(row: SandboxRow, added: readonly PolicyChange[] = []): Promise<EgressPolicy> {
    const { agents, gates } = this.#options;
    const request = describeGate(row, {
      agent: findAgent(agents, row.agent),
      changes: await this.#rules.stored(row.id),
      sessionRules: [...this.#rules.ofSessions(row.id), ...added],
      mirrors: row.specification.mirrors,
    });
    return gates.compile(request);
  }

  async #getRow(id: string): Promise<SandboxRow> {
    const row = await this.#options.store.sandboxes.get(id);
    if (row !== undefined) return row;
    throw new CattlegridError("SANDBOX_NOT_FOUND", `There is no sandbox ${id}.`);
  }
}

/** What the provider cannot hold a running sandbox to is not granted to a stopped one either. */
function requireOffer({ provider, specification }: SandboxRow, policy: EgressPolicy): void {
  const { egress = "enforced" } = specification;
  requireEgress({ egress: demandedEgress(policy) }, { provider, capabilities: { egress } });
}
