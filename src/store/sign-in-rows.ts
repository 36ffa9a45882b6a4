import type { DatabaseSync } from "node:sqlite";
import { typed } from "./database.ts";

/** Which login profile a sandbox has a copy of, and of which revision. Holds no secret. */
export interface LentSignIn {
  sandboxId: string;
  profile: string;
  revision: number;
}

export interface LentSignInRepository {
  get(sandboxId: string): Promise<LentSignIn | undefined>;
  list(): Promise<readonly LentSignIn[]>;
  put(lent: LentSignIn): Promise<void>;
  remove(sandboxId: string): Promise<void>;
}

const SELECT = `SELECT sandbox_id AS sandboxId, profile, revision FROM lent_sign_ins`;

export function createLentSignInRepository(
  database: DatabaseSync,
  path: string,
): LentSignInRepository {
  const list = database.prepare(`${SELECT} ORDER BY sandbox_id`);
  const get = database.prepare(`${SELECT} WHERE sandbox_id = ?`);
  const put = database.prepare(
    "INSERT OR REPLACE INTO lent_sign_ins (sandbox_id, profile, revision) VALUES (?, ?, ?)",
  );
  const remove = database.prepare("DELETE FROM lent_sign_ins WHERE sandbox_id = ?");
  return {
    get: async (sandboxId) =>
      typed(path, () => get.get(sandboxId)) as unknown as LentSignIn | undefined,
    list: async () => typed(path, () => list.all()) as unknown as LentSignIn[],
    async put({ sandboxId, profile, revision }) {
      typed(path, () => put.run(sandboxId, profile, revision));
    },
    async remove(sandboxId) {
      typed(path, () => remove.run(sandboxId));
    },
  };
}
