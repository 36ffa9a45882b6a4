import type { DatabaseSync, SQLOutputValue } from "node:sqlite";
import { typed } from "./database.ts";

/** Which variable of which agent takes which secret. Holds names and no value. */
export interface SecretBindingRow {
  owner: string;
  /** Empty: every agent that declares the variable as a credential. */
  agent: string;
  variable: string;
  secret: string;
}

export interface SecretBindingRepository {
  list(owner: string): Promise<readonly SecretBindingRow[]>;
  /** Takes the place of the one for the same agent and variable. */
  put(row: SecretBindingRow): Promise<void>;
  /** Idempotent. */
  remove(row: Omit<SecretBindingRow, "secret">): Promise<void>;
}

export function createSecretBindingRepository(
  database: DatabaseSync,
  path: string,
): SecretBindingRepository {
  const select = database.prepare(
    `SELECT owner, agent, variable, secret FROM secret_bindings
     WHERE owner = ? ORDER BY secret, agent, variable`,
  );
  const insert = database.prepare(
    "INSERT OR REPLACE INTO secret_bindings (owner, agent, variable, secret) VALUES (?,?,?,?)",
  );
  const remove = database.prepare(
    "DELETE FROM secret_bindings WHERE owner = ? AND agent = ? AND variable = ?",
  );
  return {
    list: async (owner) => typed(path, () => select.all(owner).map(readRow)),
    async put({ owner, agent, variable, secret }) {
      typed(path, () => insert.run(owner, agent, variable, secret));
    },
    async remove({ owner, agent, variable }) {
      typed(path, () => remove.run(owner, agent, variable));
    },
  };
}

function readRow(row: Record<string, SQLOutputValue>): SecretBindingRow {
  return {
    owner: String(row["owner"]),
    agent: String(row["agent"]),
    variable: String(row["variable"]),
    secret: String(row["secret"]),
  };
}
