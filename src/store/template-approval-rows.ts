import type { DatabaseSync } from "node:sqlite";
import { typed } from "./database.ts";

/** What a person said yes to: one content, wherever it lies. */
export interface TemplateApprovalRow {
  owner: string;
  digest: string;
  /** Where it lay then. */
  workspace: string;
  approvedAt: string;
}

export interface TemplateApprovalRepository {
  has(owner: string, digest: string): Promise<boolean>;
  /** Idempotent. */
  put(row: TemplateApprovalRow): Promise<void>;
}

export function createTemplateApprovalRepository(
  database: DatabaseSync,
  path: string,
): TemplateApprovalRepository {
  const select = database.prepare(
    "SELECT 1 FROM template_approvals WHERE owner = ? AND digest = ?",
  );
  const insert = database.prepare(
    `INSERT INTO template_approvals (owner, digest, workspace, approved_at) VALUES (?,?,?,?)
     ON CONFLICT DO NOTHING`,
  );
  return {
    has: async (owner, digest) => typed(path, () => select.get(owner, digest) !== undefined),
    async put({ owner, digest, workspace, approvedAt }) {
      typed(path, () => insert.run(owner, digest, workspace, approvedAt));
    },
  };
}
