import { chmodSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { CattlegridError } from "../errors/error.ts";
import { MIGRATIONS } from "./migrations.ts";

const SQLITE_BUSY = 5;
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;
const SQLITE_NOT_A_DATABASE = 26;

/**
 * Opens the database and keeps it for this process alone: the lock lasts as long as the connection and goes
 * with the process, however it ends, so it is also what keeps a second daemon out.
 */
export function openDatabase(path: string): DatabaseSync {
  return typed(path, () => {
    const database = new DatabaseSync(path, { enableForeignKeyConstraints: true });
    try {
      chmodSync(path, 0o600);
      // Exclusive before WAL: no shared-memory file, and the lock is held between transactions.
      database.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL;");
      // SECURITY: variables given to a sandbox are in its row, and leave the file with it.
      database.exec("PRAGMA secure_delete = ON; PRAGMA synchronous = NORMAL;");
      database.exec("BEGIN EXCLUSIVE; COMMIT;");
      migrate(database, path);
    } catch (error) {
      database.close();
      throw error;
    }
    return database;
  });
}

function migrate(database: DatabaseSync, path: string): void {
  const version = Number(database.prepare("PRAGMA user_version").get()?.["user_version"]);
  if (version > MIGRATIONS.length) {
    const message = `${path} has version ${version}; this program knows up to ${MIGRATIONS.length}.`;
    throw new CattlegridError("STATE_TOO_NEW", message);
  }
  for (const [index, statements] of MIGRATIONS.entries()) {
    if (index < version) continue;
    database.exec(`BEGIN; ${statements} PRAGMA user_version = ${index + 1}; COMMIT;`);
  }
}

/** Runs a database operation; what SQLite throws becomes an error with a code. */
export function typed<T>(path: string, operation: () => T): T {
  try {
    return operation();
  } catch (error) {
    throw describe(path, error);
  }
}

function describe(path: string, error: unknown): unknown {
  if (CattlegridError.is(error) || !(error instanceof Error) || !("errcode" in error)) return error;
  const code = Number(error.errcode) & 0xff;
  const cause = { cause: error };
  if (code === SQLITE_BUSY) {
    return new CattlegridError("STATE_LOCKED", `Another daemon has ${path} open.`, cause);
  }
  if (code === SQLITE_CORRUPT || code === SQLITE_NOT_A_DATABASE) {
    return new CattlegridError("STATE_CORRUPT", `${path} is damaged: ${error.message}.`, cause);
  }
  if (code === SQLITE_FULL) {
    return new CattlegridError("DISK_FULL", `No space is left to write ${path}.`, cause);
  }
  return new CattlegridError("INTERNAL", `${path}: ${error.message}`, cause);
}
