import type { DatabaseSync, SQLOutputValue } from "node:sqlite";
import type { WarmPoolSet } from "../protocol/warm-pool.ts";
import { typed } from "./database.ts";

/** A pool that somebody asked for; which sandboxes are in it, no row says: they end with the daemon. */
export interface WarmPoolRow {
  owner: string;
  template: string;
  wish: WarmPoolSet;
}

export interface WarmPoolRepository {
  list(): Promise<readonly WarmPoolRow[]>;
  /** Takes the place of the owner's earlier one of that template. */
  put(row: WarmPoolRow): Promise<void>;
  remove(owner: string, template: string): Promise<void>;
}

export function createWarmPoolRepository(database: DatabaseSync, path: string): WarmPoolRepository {
  const select = database.prepare("SELECT owner, template, wish FROM warm_pools ORDER BY rowid");
  const insert = database.prepare(
    "INSERT OR REPLACE INTO warm_pools (owner, template, wish) VALUES (?,?,?)",
  );
  const remove = database.prepare("DELETE FROM warm_pools WHERE owner = ? AND template = ?");
  return {
    list: async () => typed(path, () => select.all().map(readRow)),
    async put({ owner, template, wish }) {
      typed(path, () => insert.run(owner, template, JSON.stringify(wish)));
    },
    async remove(owner, template) {
      typed(path, () => remove.run(owner, template));
    },
  };
}

function readRow(row: Record<string, SQLOutputValue>): WarmPoolRow {
  return {
    owner: String(row["owner"]),
    template: String(row["template"]),
    wish: JSON.parse(String(row["wish"])) as WarmPoolSet,
  };
}
