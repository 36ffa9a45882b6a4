import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { SignInValues } from "../agent/agent.ts";
import { describeReplacement, type SignInDatabase } from "./database.ts";
import { readDatabase } from "./database-reader.ts";

const DESCRIPTION = {
  tables: { versions: ["version"], tokens: ["key", "value"] },
  whole: ["versions"],
  rows: [{ table: "tokens", key: "key", value: "value", keys: ["access", "refresh"] }],
  renewal: { expiresAt: () => undefined, expire: same, lend: same },
};

function same(values: SignInValues): SignInValues {
  return values;
}

const SCHEMA = `
  CREATE TABLE versions (version INTEGER);
  INSERT INTO versions VALUES (7);
  CREATE TABLE tokens (key TEXT PRIMARY KEY, value TEXT);
  INSERT INTO tokens VALUES ('access', 'token-a'), ('refresh', 'token-r'), ('other', 'o''ther');
  CREATE TABLE chats (id TEXT, value TEXT);
  INSERT INTO chats VALUES ('1', 'a-secret-conversation');
`;

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "cg-database-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function make(schema = SCHEMA): Buffer {
  const path = join(folder, "data.sqlite3");
  const database = new DatabaseSync(path);
  database.exec(schema);
  database.close();
  return readFileSync(path);
}

function read(database: Buffer, more: { log?: Buffer; values?: SignInValues } = {}) {
  return readDatabase({
    database,
    description: DESCRIPTION as SignInDatabase,
    distils: true,
    ...more,
  });
}

async function problemOf(database: Buffer): Promise<string> {
  const error = await read(database).catch((thrown: unknown) => thrown);
  return error instanceof Error
    ? `${(error as Error & { code: string }).code}: ${error.message}`
    : "no problem";
}

describe("a sign-in's database", () => {
  test("gives its rows, and is kept with nothing else in it", async () => {
    const { bytes, values } = await read(make());
    expect(values).toEqual({ access: "token-a", refresh: "token-r" });
    const kept = Buffer.from(bytes);
    expect(kept.includes("a-secret-conversation")).toBe(false);
    expect(kept.includes("o'ther")).toBe(false);
    const path = join(folder, "kept");
    writeFileSync(path, kept);
    const database = new DatabaseSync(path);
    expect(database.prepare("SELECT version FROM versions").all()).toEqual([{ version: 7 }]);
    expect(database.prepare("SELECT count(*) AS count FROM chats").get()).toEqual({ count: 0 });
    database.close();
  });

  test("takes other values in, whatever is in them", async () => {
    const values = { access: "'; DROP TABLE tokens; --\n\u0000x" };
    const changed = await read(make(), { values });
    expect(changed.values).toEqual(values);
    expect(Buffer.from(changed.bytes).includes("token-r")).toBe(false);
  });

  test("is read with what only its log has yet, and not with what breaks off there", async () => {
    const path = join(folder, "live.sqlite3");
    const database = new DatabaseSync(path);
    database.exec(`PRAGMA journal_mode = WAL; ${SCHEMA}`);
    database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    database.exec("UPDATE tokens SET value = 'newer' WHERE key = 'access'");
    database.exec(`INSERT INTO chats VALUES ('2', '${"x".repeat(20_000)}')`);
    copyFileSync(`${path}-wal`, join(folder, "log"));
    const bytes = readFileSync(path);
    const log = readFileSync(join(folder, "log"));
    database.close();
    expect((await read(bytes)).values["access"]).toBe("token-a");
    expect((await read(bytes, { log })).values["access"]).toBe("newer");
    const brokenOff = log.subarray(0, log.length - 100);
    expect((await read(bytes, { log: brokenOff })).values["access"]).toBe("newer");
    const changed = Buffer.from(log);
    changed[32 + 24 + 50] = (changed[32 + 24 + 50] ?? 0) ^ 1;
    expect((await read(bytes, { log: changed })).values["access"]).toBe("token-a");
    expect((await read(bytes, { log: Buffer.from("no log") })).values["access"]).toBe("token-a");
  });

  test("keeps nothing of its schema that would run", async () => {
    const { bytes } = await read(
      make(`${SCHEMA}
        CREATE TRIGGER t AFTER DELETE ON chats BEGIN INSERT INTO tokens VALUES ('x', 'y'); END;
        CREATE VIEW v AS SELECT * FROM tokens;`),
    );
    const kept = Buffer.from(bytes).toString("latin1");
    expect(kept).not.toMatch(/CREATE (TRIGGER|VIEW)/);
  });
});

describe("refused as a sign-in's database is", () => {
  test("what is no database", async () => {
    expect(await problemOf(Buffer.from("hello"))).toMatch(/SIGN_IN_INVALID: .*no SQLite database/);
    expect(await problemOf(Buffer.alloc(0))).toMatch(/no SQLite database/);
  });

  test("one of another program", async () => {
    const other = make("CREATE TABLE bookmarks (url TEXT)");
    expect(await problemOf(other)).toMatch(/SIGN_IN_INVALID: .*no table/);
  });

  test("one whose table has other columns, or computes them", async () => {
    const versions = "CREATE TABLE versions (version INTEGER);";
    const fewer = make(`${versions} CREATE TABLE tokens (key TEXT)`);
    expect(await problemOf(fewer)).toMatch(/no column value/);
    rmSync(join(folder, "data.sqlite3"));
    const computed = make(`${versions} CREATE TABLE tokens (key TEXT, value TEXT AS (hex(key)))`);
    expect(await problemOf(computed)).toMatch(/computes columns/);
  });

  test("a view in a table's place", async () => {
    const view = make(
      "CREATE TABLE versions (version INTEGER); CREATE VIEW tokens AS SELECT 'access' AS key, 'x' AS value",
    );
    expect(await problemOf(view)).toMatch(/no table tokens/);
  });

  test("a damaged one, and one that is cut off", async () => {
    const damaged = make(`${SCHEMA} CREATE INDEX i ON chats (value);`);
    damaged.fill(0xff, damaged.length - 4096, damaged.length - 2048);
    expect(await problemOf(damaged)).toMatch(/SIGN_IN_INVALID: .*damaged/);
    rmSync(join(folder, "data.sqlite3"));
    expect(await problemOf(make().subarray(0, 5000))).toMatch(/damaged/);
  });
});

test("the same change as SQL changes what a program has open", () => {
  make();
  const database = new DatabaseSync(join(folder, "data.sqlite3"));
  const values = { access: "quote ' and\nline" };
  database.exec(describeReplacement(DESCRIPTION as SignInDatabase, values));
  expect(database.prepare("SELECT * FROM tokens ORDER BY key").all()).toEqual([
    { key: "access", value: values.access },
    { key: "other", value: "o'ther" },
  ]);
  database.close();
});
