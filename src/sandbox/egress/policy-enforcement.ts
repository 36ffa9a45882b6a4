import type { EgressPolicy } from "../../egress/policy/policy.ts";
import type { CattlegridError } from "../../errors/error.ts";
import type { Logger } from "../../platform/logger.ts";
import type { EgressRecord } from "../../protocol/egress.ts";
import type { Lifecycle } from "../life/lifecycle.ts";
import { limitAddresses } from "./address-policy.ts";
import type { Gate, Gates } from "./gates.ts";
import { tellCeilings, type ToldChange } from "./policy-change.ts";

export interface PolicyEnforcementOptions {
  gates: Pick<Gates, "append">;
  /** What runs now, and its gates. */
  lifecycle: Pick<Lifecycle, "gate" | "running">;
  logger: Logger;
  now(): Date;
}

const NOTHING_OUT: EgressPolicy = { preset: "locked", allow: [], deny: [], ceilings: [] };

/** Holds sandboxes that run to their policies, where the gateway decides and where the backend does, and records what changed. */
export class PolicyEnforcement {
  readonly #options: PolicyEnforcementOptions;

  constructor(options: PolicyEnforcementOptions) {
    this.#options = options;
  }

  /** Of a sandbox that runs. */
  gate(id: string): Gate | undefined {
    return this.#options.lifecycle.gate(id);
  }

  /** Holds when this resolves. Of a sandbox that does not run only the record changes. */
  async change(id: string, policy: EgressPolicy, told: readonly ToldChange[]): Promise<void> {
    const gate = this.gate(id);
    const records = told.map((each) => this.#describe(id, each));
    if (gate === undefined) return this.#options.gates.append(id, records);
    await this.#hold(id, gate, policy);
    for (const record of records) gate.record(record);
  }

  /** Makes the policy anew. Never rejects: what cannot be made lets nothing out. */
  async refresh(id: string, compile: () => Promise<EgressPolicy>): Promise<void> {
    const gate = this.gate(id);
    if (gate === undefined) return;
    try {
      await this.#hold(id, gate, await compile());
    } catch (error) {
      await this.#holdToNothing(id, gate);
      this.#options.logger.error("a policy could not be made anew", { id, error });
    }
  }

  /** Records what came of a change of the ceilings. */
  tellCeilings(id: string, before: EgressPolicy, broken: readonly CattlegridError[]): void {
    const gate = this.gate(id);
    if (gate === undefined) return;
    for (const { message } of broken) {
      const reason = `the organisation's policy cannot be read: ${message}`;
      gate.record({ ...this.#told(id), action: "error", reason });
    }
    for (const each of tellCeilings(before, gate.policy)) gate.record(this.#describe(id, each));
  }

  async #hold(id: string, gate: Gate, policy: EgressPolicy): Promise<void> {
    gate.setPolicy(policy);
    await limitAddresses(this.#options.lifecycle.running(id), policy);
  }

  /** SECURITY: a ceiling that cannot be read might forbid anything. */
  async #holdToNothing(id: string, gate: Gate): Promise<void> {
    try {
      await this.#hold(id, gate, NOTHING_OUT);
    } catch (error) {
      this.#options.logger.error("a sandbox could not be held to nothing", { id, error });
    }
  }

  #describe(id: string, { rule, what }: ToldChange): EgressRecord {
    const shown = { id: rule.id, text: rule.text };
    return { ...this.#told(id), action: rule.effect, rule: shown, reason: what };
  }

  #told(sandboxId: string) {
    const time = this.#options.now().toISOString();
    return { time, sandboxId, kind: "policy", reasonCode: "policy-changed" } as const;
  }
}
