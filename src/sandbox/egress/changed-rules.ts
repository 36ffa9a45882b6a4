import type { PolicyChangeRow } from "../../store/policy-change-rows.ts";
import type { Rule } from "../../egress/policy/rule.ts";
import { CattlegridError } from "../../errors/error.ts";
import type { Store } from "../../store/store.ts";
import { readText, type AddedRule } from "./policy-change.ts";

export interface ChangedRulesOptions {
  store: Pick<Store, "policyChanges" | "sessions">;
  now(): Date;
}

interface SessionRule {
  sessionId: string;
  change: AddedRule;
}

/** What people added to sandboxes' policies and took from them: stored, or in memory for as long as one session lives. */
export class ChangedRules {
  readonly #options: ChangedRulesOptions;
  readonly #sessionRules = new Map<string, readonly SessionRule[]>();

  constructor(options: ChangedRulesOptions) {
    this.#options = options;
  }

  async stored(sandboxId: string): Promise<readonly PolicyChangeRow[]> {
    return this.#options.store.policyChanges.list(sandboxId);
  }

  ofSessions(sandboxId: string): readonly AddedRule[] {
    return this.#listSessionRules(sandboxId).map(({ change }) => change);
  }

  /** `text` is the rule as rules are shown. */
  async add(sandboxId: string, change: AddedRule, text: string): Promise<void> {
    const { action, reason, broad = false } = change;
    const told = reason === undefined ? {} : { reason };
    const { store } = this.#options;
    await store.policyChanges.put({
      sandboxId,
      action,
      rule: text,
      ...told,
      broad,
      changedAt: this.#now(),
    });
  }

  addForSession(sandboxId: string, sessionId: string, change: AddedRule): void {
    const rules = this.#listSessionRules(sandboxId);
    this.#sessionRules.set(sandboxId, [...rules, { sessionId, change }]);
  }

  /** A rule that nobody added is kept as one that was taken away. */
  async remove(sandboxId: string, { id, effect, text, source }: Rule): Promise<void> {
    const { policyChanges } = this.#options.store;
    if (source === "change") return policyChanges.remove({ sandboxId, action: effect, rule: text });
    if (source === "session") {
      this.#keep(sandboxId, ({ change }) => readText(change) !== text);
      return;
    }
    const changedAt = this.#now();
    await policyChanges.put({ sandboxId, action: "remove", rule: id, broad: false, changedAt });
  }

  hasForSession(sandboxId: string, sessionId: string): boolean {
    return this.#listSessionRules(sandboxId).some((rule) => rule.sessionId === sessionId);
  }

  forgetSession(sandboxId: string, sessionId: string): void {
    this.#keep(sandboxId, (rule) => rule.sessionId !== sessionId);
  }

  /** Throws SESSION_NOT_FOUND. */
  async requireOpenSession(sandboxId: string, sessionId: string): Promise<void> {
    const session = await this.#options.store.sessions.get(sessionId);
    if (session?.sandboxId === sandboxId && session.endedAt === undefined) return;
    const message = `The sandbox has no open session ${sessionId}.`;
    throw new CattlegridError("SESSION_NOT_FOUND", message);
  }

  #listSessionRules(sandboxId: string): readonly SessionRule[] {
    return this.#sessionRules.get(sandboxId) ?? [];
  }

  #keep(sandboxId: string, isKept: (rule: SessionRule) => boolean): void {
    const left = this.#listSessionRules(sandboxId).filter(isKept);
    if (left.length === 0) this.#sessionRules.delete(sandboxId);
    else this.#sessionRules.set(sandboxId, left);
  }

  #now(): string {
    return this.#options.now().toISOString();
  }
}
