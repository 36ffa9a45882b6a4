import type { DatabaseSync, SQLOutputValue } from "node:sqlite";
import { typed } from "./database.ts";

/** What is known of a layer that a template's build made. That it exists is the provider's to say. */
export interface LayerRow {
  provider: string;
  layer: string;
  /** The template for which it was made first. */
  template: string;
  /** Names of the steps that made it. */
  steps: readonly string[];
  bytes: number;
  builtAt: string;
  /** When a sandbox last started on it. */
  usedAt: string;
}

export interface LayerRepository {
  list(): Promise<readonly LayerRow[]>;
  /** Takes the place of an equal one. */
  put(row: LayerRow): Promise<void>;
  /** Of those that are known. */
  touch(provider: string, layers: readonly string[], usedAt: string): Promise<void>;
  remove(provider: string, layer: string): Promise<void>;
}

export function createLayerRepository(database: DatabaseSync, path: string): LayerRepository {
  const select = database.prepare(
    `SELECT provider, layer, template, steps, bytes, built_at, used_at FROM layers
     ORDER BY built_at, rowid`,
  );
  const insert = database.prepare(
    `INSERT OR REPLACE INTO layers (provider, layer, template, steps, bytes, built_at, used_at)
     VALUES (?,?,?,?,?,?,?)`,
  );
  const touch = database.prepare(
    `UPDATE layers SET used_at = ?
     WHERE provider = ? AND layer IN (SELECT value FROM json_each(?))`,
  );
  const remove = database.prepare("DELETE FROM layers WHERE provider = ? AND layer = ?");
  return {
    list: async () => typed(path, () => select.all().map(readRow)),
    async put({ provider, layer, template, steps, bytes, builtAt, usedAt }) {
      const values = [provider, layer, template, JSON.stringify(steps), bytes, builtAt, usedAt];
      typed(path, () => insert.run(...values));
    },
    async touch(provider, layers, usedAt) {
      typed(path, () => touch.run(usedAt, provider, JSON.stringify(layers)));
    },
    async remove(provider, layer) {
      typed(path, () => remove.run(provider, layer));
    },
  };
}

function readRow(row: Record<string, SQLOutputValue>): LayerRow {
  return {
    provider: String(row["provider"]),
    layer: String(row["layer"]),
    template: String(row["template"]),
    steps: JSON.parse(String(row["steps"])) as string[],
    bytes: Number(row["bytes"]),
    builtAt: String(row["built_at"]),
    usedAt: String(row["used_at"]),
  };
}
