import { DatabaseSync } from "node:sqlite";
import type { SignInDatabase as Described, SignInValues } from "../agent/agent.ts";
import { takeInLog } from "./write-ahead-log.ts";

/** What crosses to the thread: data alone. */
export type SignInDatabase = Omit<Described, "renewal">;

const HEADER = "SQLite format 3\0";
/** Of a header: which of its two ways to keep transactions a file needs. */
const JOURNAL_BYTES = { write: 18, read: 19 };
const WRITE_AHEAD = 2;
const ROLLBACK = 1;

export interface DatabaseTask {
  database: Uint8Array;
  /** What the database has not taken in yet. */
  log?: Uint8Array;
  description: SignInDatabase;
  /** Keep nothing but the sign-in. Default: all that is there. */
  distils: boolean;
  /** Rows to put in place of those that make up the sign-in. */
  values?: SignInValues;
}

export type DatabaseAnswer =
  | { bytes: Uint8Array; values: SignInValues }
  /** Why it is no database that a sign-in may be taken from. */
  | { refused: string };

/**
 * Judges a database that somebody else made, and gives it back as one file, with the rows that a sign-in consists of. SECURITY: it is
 * opened in memory only; nothing that is written in its schema runs (triggers and views are dropped, `trusted_schema` is off);
 * tables and columns are named by the adapter, never by the file.
 */
export function examineDatabase(task: DatabaseTask): DatabaseAnswer {
  const { description, distils, values } = task;
  const given = Buffer.from(task.database);
  if (given.toString("latin1", 0, HEADER.length) !== HEADER) {
    return { refused: "it is no SQLite database" };
  }
  const whole = task.log === undefined ? given : takeInLog(given, Buffer.from(task.log));
  const database = new DatabaseSync(":memory:", { defensive: true });
  try {
    database.deserialize(withoutLog(whole));
    database.exec("PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON");
    const wrong = findWrong(database, description);
    if (wrong !== undefined) return { refused: wrong };
    if (distils) distil(database, description);
    if (values !== undefined) replaceValues(database, description, values);
    const bytes = database.serialize();
    return { bytes, values: readValues(database, description) };
  } catch (error) {
    if (!isSqliteError(error)) throw error;
    return { refused: "the database is damaged" };
  } finally {
    database.close();
  }
}

/** A file that is alone has no log, whatever its header says. */
function withoutLog(database: Buffer): Buffer {
  const copy = Buffer.from(database);
  if (copy[JOURNAL_BYTES.read] !== WRITE_AHEAD) return copy;
  copy[JOURNAL_BYTES.read] = ROLLBACK;
  copy[JOURNAL_BYTES.write] = ROLLBACK;
  return copy;
}

function findWrong(database: DatabaseSync, { tables }: SignInDatabase): string | undefined {
  const [first] = database.prepare("PRAGMA integrity_check(1)").all();
  if (first?.["integrity_check"] !== "ok") return "the database is damaged";
  const list = database.prepare("SELECT name FROM pragma_table_list WHERE type = 'table'").all();
  const found = new Set(list.map(({ name }) => String(name)));
  for (const [table, columns] of Object.entries(tables)) {
    if (!found.has(table)) return `the database has no table ${table}`;
    const rows = database.prepare(`PRAGMA table_xinfo(${quote(table)})`).all();
    const names = new Set(rows.map(({ name }) => String(name)));
    const missing = columns.find((column) => !names.has(column));
    if (missing !== undefined) return `its table ${table} has no column ${missing}`;
    // A computed column would answer with what its text computes.
    if (rows.some(({ hidden }) => hidden !== 0)) return `its table ${table} computes columns`;
  }
  return undefined;
}

function distil(database: DatabaseSync, { whole, rows }: SignInDatabase): void {
  const triggers = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger'").all();
  for (const { name } of triggers) database.exec(`DROP TRIGGER ${quote(String(name))}`);
  const named = (wanted: string): string[] => {
    const list = database.prepare("SELECT name FROM pragma_table_list WHERE type = ?").all(wanted);
    return list.map(({ name }) => String(name)).filter((name) => !name.startsWith("sqlite_"));
  };
  for (const view of named("view")) database.exec(`DROP VIEW ${quote(view)}`);
  for (const table of named("virtual")) database.exec(`DROP TABLE ${quote(table)}`);
  for (const table of named("table")) {
    if (whole.includes(table)) continue;
    const kept = rows.filter((each) => each.table === table).flatMap(({ keys }) => keys);
    const key = rows.find((each) => each.table === table)?.key;
    const where = key === undefined ? "" : `WHERE ${quote(key)} NOT IN (${marks(kept)})`;
    database.prepare(`DELETE FROM ${quote(table)} ${where}`).run(...kept);
  }
  // What was deleted is else still in the pages.
  database.exec("VACUUM");
}

function readValues(database: DatabaseSync, { rows }: SignInDatabase): SignInValues {
  const values: Record<string, string> = {};
  for (const { table, key, value, keys } of rows) {
    const columns = `${quote(key)} AS name, CAST(${quote(value)} AS TEXT) AS value`;
    const select = `SELECT ${columns} FROM ${quote(table)} WHERE ${quote(key)} IN (${marks(keys)})`;
    for (const row of database.prepare(select).all(...keys)) {
      if (typeof row["value"] === "string") values[String(row["name"])] = row["value"];
    }
  }
  return values;
}

function replaceValues(
  database: DatabaseSync,
  { rows }: SignInDatabase,
  values: SignInValues,
): void {
  for (const { table, key, value, keys } of rows) {
    const where = `${quote(key)} IN (${marks(keys)})`;
    database.prepare(`DELETE FROM ${quote(table)} WHERE ${where}`).run(...keys);
    const columns = `${quote(key)}, ${quote(value)}`;
    const insert = database.prepare(`INSERT INTO ${quote(table)} (${columns}) VALUES (?, ?)`);
    for (const name of keys) {
      const text = values[name];
      if (text !== undefined) insert.run(name, text);
    }
  }
}

/**
 * The same as text of SQL, for a database that a program has open: only its own SQLite can change it then. SECURITY: names are the
 * adapter's; values are written in hexadecimal and cannot end what they stand in.
 */
export function describeReplacement({ rows }: SignInDatabase, values: SignInValues): string {
  const statements = rows.flatMap(({ table, key, value, keys }) => [
    `DELETE FROM ${quote(table)} WHERE ${quote(key)} IN (${keys.map(encode).join(", ")});`,
    ...keys.flatMap((name) => {
      const text = values[name];
      if (text === undefined) return [];
      const columns = `${quote(key)}, ${quote(value)}`;
      return [
        `INSERT INTO ${quote(table)} (${columns}) VALUES (${encode(name)}, ${encode(text)});`,
      ];
    }),
  ]);
  return ["PRAGMA secure_delete = ON;", "BEGIN IMMEDIATE;", ...statements, "COMMIT;"].join("\n");
}

function encode(text: string): string {
  return `CAST(X'${Buffer.from(text).toString("hex")}' AS TEXT)`;
}

function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

function marks(values: readonly unknown[]): string {
  return values.map(() => "?").join(", ");
}

function isSqliteError(error: unknown): boolean {
  return error instanceof Error && (error as { code?: unknown }).code === "ERR_SQLITE_ERROR";
}
