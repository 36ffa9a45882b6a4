import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

const MIGRATIONS = [
  `CREATE TABLE IF NOT EXISTS migrations (id INTEGER PRIMARY KEY, version INTEGER NOT NULL, migration_time INTEGER NOT NULL)`,
  `CREATE TABLE history (id INTEGER PRIMARY KEY, command TEXT, shell TEXT, pid INTEGER, session_id TEXT, cwd TEXT,
                         start_time INTEGER, hostname TEXT, exit_code INTEGER, end_time INTEGER, duration INTEGER)`,
  `CREATE TABLE auth_kv (key TEXT PRIMARY KEY, value TEXT)`,
  `CREATE TABLE state (key TEXT PRIMARY KEY, value BLOB)`,
  `CREATE TABLE conversations (key TEXT PRIMARY KEY, value TEXT)`,
  `CREATE TABLE conversations_v2 (key TEXT, conversation_id TEXT, value TEXT, created_at INTEGER, updated_at INTEGER,
                                  PRIMARY KEY (key, conversation_id))`,
  `CREATE INDEX conversations_v2_updated ON conversations_v2 (key, updated_at)`,
  `SELECT 1`,
];

export interface ConversationRow {
  id: string;
  value: string;
  updatedAtMs: number;
}

/** Kiro's data.sqlite3, mode 0600: credentials, state and V1 conversations. */
export class Database {
  readonly #sqlite: DatabaseSync;

  constructor(directory: string) {
    const path = join(directory, "data.sqlite3");
    // SECURITY: the file holds tokens, so it exists with its final mode before SQLite writes to it.
    closeSync(openSync(path, "a", 0o600));
    this.#sqlite = new DatabaseSync(path, { timeout: 10_000 });
    this.#migrate();
  }

  auth(key: string): unknown {
    return parse(this.#one("SELECT value FROM auth_kv WHERE key = ?", key));
  }

  setAuth(key: string, value: unknown): void {
    this.#set("auth_kv", key, value);
  }

  deleteAuth(key: string): void {
    this.#sqlite.prepare("DELETE FROM auth_kv WHERE key = ?").run(key);
  }

  state(key: string): unknown {
    return parse(this.#one("SELECT value FROM state WHERE key = ?", key));
  }

  setState(key: string, value: unknown): void {
    this.#set("state", key, value);
  }

  /** The conversations of one directory, newest first. */
  conversations(directory: string): ConversationRow[] {
    return this.#sqlite
      .prepare(
        "SELECT conversation_id, value, updated_at FROM conversations_v2 WHERE key = ? ORDER BY updated_at DESC, rowid DESC",
      )
      .all(directory)
      .map((row) => ({
        id: String(row["conversation_id"]),
        value: String(row["value"]),
        updatedAtMs: Number(row["updated_at"]),
      }));
  }

  saveConversation(directory: string, row: { id: string; value: string }): void {
    const now = Date.now();
    this.#sqlite
      .prepare(
        `INSERT INTO conversations_v2 (key, conversation_id, value, created_at, updated_at) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (key, conversation_id) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at`,
      )
      .run(directory, row.id, row.value, now, now);
  }

  /** False when there was no such conversation. */
  deleteConversation(directory: string, id: string): boolean {
    const statement = this.#sqlite.prepare(
      "DELETE FROM conversations_v2 WHERE key = ? AND conversation_id = ?",
    );
    return Number(statement.run(directory, id).changes) > 0;
  }

  #one(sql: string, key: string): string | undefined {
    const row = this.#sqlite.prepare(sql).get(key);
    return row === undefined ? undefined : String(row["value"]);
  }

  #set(table: "auth_kv" | "state", key: string, value: unknown): void {
    this.#sqlite
      .prepare(`INSERT OR REPLACE INTO ${table} (key, value) VALUES (?, ?)`)
      .run(key, JSON.stringify(value));
  }

  #migrate(): void {
    const [first = "", ...rest] = MIGRATIONS;
    this.#sqlite.exec(first);
    const { done } = this.#sqlite.prepare("SELECT count(*) AS done FROM migrations").get() ?? {};
    if (Number(done) >= MIGRATIONS.length) return;
    this.#sqlite.exec("BEGIN IMMEDIATE");
    const applied = Number(
      this.#sqlite.prepare("SELECT count(*) AS done FROM migrations").get()?.["done"],
    );
    const record = this.#sqlite.prepare(
      "INSERT INTO migrations (version, migration_time) VALUES (?, ?)",
    );
    for (const [version, sql] of ["SELECT 1", ...rest].entries()) {
      if (version < applied) continue;
      this.#sqlite.exec(sql);
      record.run(version, Math.floor(Date.now() / 1000));
    }
    this.#sqlite.exec("COMMIT");
  }
}

function parse(text: string | undefined): unknown {
  return text === undefined ? undefined : (JSON.parse(text) as unknown);
}
