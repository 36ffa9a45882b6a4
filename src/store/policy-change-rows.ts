import type { DatabaseSync, SQLOutputValue } from "node:sqlite";
import { typed } from "./database.ts";

/** A change of one sandbox's egress policy that a person made; it holds until it is taken back. */
export interface PolicyChangeRow {
  sandboxId: string;
  action: "allow" | "deny" | "remove";
  /** A rule's short form; for `remove` a rule's id. */
  rule: string;
  reason?: string;
  broad: boolean;
  changedAt: string;
}

export interface PolicyChangeRepository {
  /** In the order they were made. */
  list(sandboxId: string): Promise<readonly PolicyChangeRow[]>;
  /** Takes the place of an equal one. */
  put(row: PolicyChangeRow): Promise<void>;
  /** Idempotent. */
  remove(row: Pick<PolicyChangeRow, "sandboxId" | "action" | "rule">): Promise<void>;
}

export function createPolicyChangeRepository(
  database: DatabaseSync,
  path: string,
): PolicyChangeRepository {
  const select = database.prepare(
    `SELECT sandbox_id, action, rule, reason, broad, changed_at FROM policy_changes
     WHERE sandbox_id = ? ORDER BY rowid`,
  );
  const insert = database.prepare(
    `INSERT OR REPLACE INTO policy_changes (sandbox_id, action, rule, reason, broad, changed_at)
     VALUES (?,?,?,?,?,?)`,
  );
  const remove = database.prepare(
    "DELETE FROM policy_changes WHERE sandbox_id = ? AND action = ? AND rule = ?",
  );
  return {
    list: async (sandboxId) => typed(path, () => select.all(sandboxId).map(readRow)),
    async put({ sandboxId, action, rule, reason, broad, changedAt }) {
      const values = [sandboxId, action, rule, reason ?? null, broad ? 1 : 0, changedAt];
      typed(path, () => insert.run(...values));
    },
    async remove({ sandboxId, action, rule }) {
      typed(path, () => remove.run(sandboxId, action, rule));
    },
  };
}

function readRow(row: Record<string, SQLOutputValue>): PolicyChangeRow {
  const reason = row["reason"];
  return {
    sandboxId: String(row["sandbox_id"]),
    action: String(row["action"]) as PolicyChangeRow["action"],
    rule: String(row["rule"]),
    ...(typeof reason === "string" ? { reason } : {}),
    broad: row["broad"] === 1,
    changedAt: String(row["changed_at"]),
  };
}
