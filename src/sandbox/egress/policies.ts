import type { AgentRegistry } from "../../agent/registry.ts";
import { formatAddress } from "../../egress/address.ts";
import type { CeilingState } from "../../egress/ceiling/ceilings.ts";
import type { PolicyChange } from "../../egress/policy/compile-policy.ts";
import { explainRemedy } from "../../egress/advice/explain.ts";
import { forecastDecision } from "../../egress/advice/forecast.ts";
import { learn } from "../../egress/advice/learn.ts";
import type { EgressPolicy } from "../../egress/policy/policy.ts";
import { findRules } from "../../egress/policy/policy-rules.ts";
import type { Rule } from "../../egress/policy/rule.ts";
import { readWish, type Wish } from "../../egress/advice/wish.ts";
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
import { limitAddresses } from "./address-policy.ts";
import { demandedEgress, requireEgress } from "../making/demands.ts";
import { describeGate } from "./gate-request.ts";
import type { Gates } from "./gates.ts";
import {
  findAdded,
  judgeAddition,
  readText,
  tellCeilings,
  tellDifference,
  type AddedRule,
  type ToldChange,
} from "./policy-change.ts";
import type { Lifecycle } from "../life/lifecycle.ts";
import { showLearned, showPolicy, showRule } from "./policy-view.ts";
import { findAgent } from "../registry.ts";

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

interface SessionRule {
  sessionId: string;
  change: AddedRule;
}

export function createPolicies(options: PoliciesOptions): Policies {
  return new StoredPolicies(options);
}

const NOTHING_OUT: EgressPolicy = { preset: "locked", allow: [], deny: [], ceilings: [] };

class StoredPolicies implements Policies {
  readonly #options: PoliciesOptions;
  readonly #sessionRules = new Map<string, readonly SessionRule[]>();
  /** Changes of one sandbox happen one after the other. */
  readonly #queues = new Map<string, Promise<unknown>>();

  constructor(options: PoliciesOptions) {
    this.#options = options;
  }

  async show(id: string): Promise<Policy> {
    const row = await this.#getRow(id);
    return showPolicy(row.name, await this.#compile(row));
  }

  add(id: string, addition: RuleAddition): Promise<RuleAdded> {
    return this.#enqueue(id, () => this.#add(id, addition));
  }

  remove(id: string, rule: string): Promise<RulesRemoved> {
    return this.#enqueue(id, () => this.#remove(id, rule));
  }

  async check(id: string, question: PolicyQuestion): Promise<PolicyForecast> {
    const row = await this.#getRow(id);
    const { url, method, address } = question;
    const wish = readWish(url, { method, address });
    if (!wish.ok) {
      const details = { hint: wish.fix };
      throw new CattlegridError("REQUEST_INVALID", `${url}: ${wish.problem}.`, details);
    }
    const { decision, dependsOnAddress } = forecastDecision(await this.#compile(row), wish.value);
    const { action, code: reasonCode, reason, rule } = decision;
    const http = wish.value.kind === "name" ? wish.value.http : undefined;
    const where = { place: placeOf(wish.value), sandboxName: row.name };
    const remedy = action === "deny" ? explainRemedy({ ...decision, http }, where) : undefined;
    return {
      action,
      reasonCode,
      reason,
      ...(rule === undefined ? {} : { rule: showRule(rule) }),
      inspected: action === "allow" && decision.inspect,
      dependsOnAddress,
      ...(remedy === undefined ? {} : { remedy }),
    };
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
      const before = this.#options.lifecycle.gate(id)?.policy;
      if (before === undefined) return;
      await this.refresh(id);
      this.#tellCeilings(id, before, broken);
    });
    await Promise.all(renewed);
  }

  #tellCeilings(id: string, before: EgressPolicy, broken: readonly CattlegridError[]): void {
    const gate = this.#options.lifecycle.gate(id);
    const time = this.#options.now().toISOString();
    const told = { time, sandboxId: id, kind: "policy", reasonCode: "policy-changed" } as const;
    for (const { message } of broken) {
      const reason = `the organisation's policy cannot be read: ${message}`;
      gate?.record({ ...told, action: "error", reason });
    }
    for (const { rule, what } of tellCeilings(before, gate?.policy ?? before)) {
      const shown = { id: rule.id, text: rule.text };
      gate?.record({ ...told, action: rule.effect, rule: shown, reason: what });
    }
  }

  refresh(id: string): Promise<void> {
    return this.#enqueue(id, async () => {
      const gate = this.#options.lifecycle.gate(id);
      if (gate === undefined) return;
      try {
        const policy = await this.#compile(await this.#getRow(id));
        gate.setPolicy(policy);
        await this.#limit(id, policy);
      } catch (error) {
        // SECURITY: a ceiling that cannot be read might forbid anything.
        gate.setPolicy(NOTHING_OUT);
        await this.#limitToNothing(id);
        this.#options.logger.error("a policy could not be made anew", { id, error });
      }
    });
  }

  /** Where the backend is who holds it. */
  async #limit(id: string, policy: EgressPolicy): Promise<void> {
    await limitAddresses(this.#options.lifecycle.running(id), policy);
  }

  async #limitToNothing(id: string): Promise<void> {
    try {
      await this.#limit(id, NOTHING_OUT);
    } catch (error) {
      this.#options.logger.error("a sandbox could not be held to nothing", { id, error });
    }
  }

  endSession(id: string, sessionId: string): Promise<void> {
    return this.#enqueue(id, async () => {
      const rules = this.#sessionRules.get(id) ?? [];
      const left = rules.filter((rule) => rule.sessionId !== sessionId);
      if (left.length === rules.length) return;
      const row = await this.#options.store.sandboxes.get(id);
      if (row === undefined) return void this.#sessionRules.delete(id);
      const before = await this.#compile(row);
      this.#sessionRules.set(id, left);
      const after = await this.#compile(row);
      await this.#apply(row, after, tellDifference(before, after, "it ended with its session"));
    });
  }

  async #add(id: string, addition: RuleAddition): Promise<RuleAdded> {
    const row = await this.#getRow(id);
    const { effect, reason, broad = false, session } = addition;
    if (session !== undefined) await this.#checkSession(id, session);
    const source = session === undefined ? "change" : "session";
    const change = { action: effect, rule: addition.rule, source, reason, broad } as const;
    const policy = await this.#compile(row, [change]);
    // What the provider cannot hold a running sandbox to is not granted to a stopped one either.
    const { egress: stated = "enforced" } = row.specification;
    const offer = { provider: row.provider, capabilities: { egress: stated } };
    requireEgress({ egress: demandedEgress(policy) }, offer);
    const rule = findAdded(policy, change);
    const notice = judgeAddition(policy, rule, row.name);
    if (session === undefined) {
      await this.#options.store.policyChanges.put({
        sandboxId: id,
        action: effect,
        rule: rule.text,
        ...(reason === undefined ? {} : { reason }),
        broad,
        changedAt: this.#options.now().toISOString(),
      });
    } else {
      const rules = this.#sessionRules.get(id) ?? [];
      this.#sessionRules.set(id, [...rules, { sessionId: session, change }]);
    }
    await this.#apply(row, policy, [{ rule, what: `a person added it (${source})` }]);
    return { rule: showRule(rule), ...(notice === undefined ? {} : { notice }) };
  }

  async #remove(id: string, text: string): Promise<RulesRemoved> {
    const row = await this.#getRow(id);
    const found = findRules(await this.#compile(row), text);
    for (const rule of found) await this.#removeRule(id, rule);
    const told = found.map((rule) => ({ rule, what: "a person took it away" }));
    await this.#apply(row, await this.#compile(row), told);
    return { rules: found.map(showRule) };
  }

  async #removeRule(id: string, { id: ruleId, effect, text, source }: Rule): Promise<void> {
    const { policyChanges } = this.#options.store;
    if (source === "change") {
      return policyChanges.remove({ sandboxId: id, action: effect, rule: text });
    }
    if (source === "session") {
      const rules = this.#sessionRules.get(id) ?? [];
      const left = rules.filter(({ change }) => readText(change) !== text);
      return void this.#sessionRules.set(id, left);
    }
    const changedAt = this.#options.now().toISOString();
    await policyChanges.put({
      sandboxId: id,
      action: "remove",
      rule: ruleId,
      broad: false,
      changedAt,
    });
  }

  /** Puts a policy into force where the sandbox runs, and into the record in any case. */
  async #apply(row: SandboxRow, policy: EgressPolicy, told: readonly ToldChange[]): Promise<void> {
    const gate = this.#options.lifecycle.gate(row.id);
    gate?.setPolicy(policy);
    if (gate !== undefined) await this.#limit(row.id, policy);
    const time = this.#options.now().toISOString();
    const records = told.map(({ rule, what }): EgressRecord => ({
      time,
      sandboxId: row.id,
      kind: "policy",
      action: rule.effect,
      rule: { id: rule.id, text: rule.text },
      reasonCode: "policy-changed",
      reason: what,
    }));
    if (gate !== undefined) return records.forEach((record) => gate.record(record));
    await this.#options.gates.append(row.id, records);
  }

  async #compile(row: SandboxRow, added: readonly PolicyChange[] = []): Promise<EgressPolicy> {
    const { store, agents, gates } = this.#options;
    const changes = await store.policyChanges.list(row.id);
    const sessionRules = (this.#sessionRules.get(row.id) ?? []).map(({ change }) => change);
    const request = describeGate(row, {
      agent: findAgent(agents, row.agent),
      changes,
      sessionRules: [...sessionRules, ...added],
      mirrors: row.specification.mirrors,
    });
    return gates.compile(request);
  }

  async #checkSession(id: string, sessionId: string): Promise<void> {
    const session = await this.#options.store.sessions.get(sessionId);
    if (session?.sandboxId === id && session.endedAt === undefined) return;
    const message = `The sandbox has no open session ${sessionId}.`;
    throw new CattlegridError("SESSION_NOT_FOUND", message);
  }

  async #getRow(id: string): Promise<SandboxRow> {
    const row = await this.#options.store.sandboxes.get(id);
    if (row !== undefined) return row;
    throw new CattlegridError("SANDBOX_NOT_FOUND", `There is no sandbox ${id}.`);
  }

  #enqueue<T>(id: string, step: () => Promise<T>): Promise<T> {
    const done = (this.#queues.get(id) ?? Promise.resolve()).then(step);
    const settled = done.then(
      () => undefined,
      () => undefined,
    );
    this.#queues.set(id, settled);
    void settled.then(() => {
      if (this.#queues.get(id) === settled) this.#queues.delete(id);
    });
    return done;
  }
}

function placeOf(wish: Wish): string {
  if (wish.kind === "name") return `${wish.name}:${wish.port}`;
  const address = formatAddress(wish.address);
  return wish.address.family === 6 ? `[${address}]:${wish.port}` : `${address}:${wish.port}`;
}
