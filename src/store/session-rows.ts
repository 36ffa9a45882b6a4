import type { DatabaseSync, SQLInputValue, SQLOutputValue } from "node:sqlite";
import type { SessionStatus } from "../protocol/session.ts";
import { typed } from "./database.ts";

export interface SessionRow {
  id: string;
  owner: string;
  sandboxId: string;
  agent: string;
  kind: "interactive" | "turns";
  status: SessionStatus;
  /** Turns that were started. */
  turns: number;
  /** What the agent resumes, once a turn has succeeded. */
  conversationId?: string;
  exitCode?: number;
  createdAt: string;
  endedAt?: string;
}

export type SessionChange = Partial<
  Pick<SessionRow, "status" | "turns" | "conversationId" | "exitCode" | "endedAt">
>;

export interface SessionRepository {
  insert(row: SessionRow): Promise<void>;
  get(id: string): Promise<SessionRow | undefined>;
  listBySandbox(sandboxId: string): Promise<readonly SessionRow[]>;
  list(owner: string): Promise<readonly SessionRow[]>;
  /** Sessions that have neither ended nor been lost. */
  countOpen(): Promise<number>;
  update(id: string, change: SessionChange): Promise<void>;
  /** Marks every open session lost, of one sandbox or of all; returns their ids. */
  lose(at: string, sandboxId?: string): Promise<readonly string[]>;
}

const COLUMNS = `id, owner, sandbox_id, agent, kind, status, turns, conversation_id, exit_code,
  created_at, ended_at`;
const OPEN = "status NOT IN ('ended', 'lost')";

export function createSessionRepository(database: DatabaseSync, path: string): SessionRepository {
  const all = (where: string, ...values: SQLInputValue[]): SessionRow[] =>
    typed(path, () => {
      const statement = database.prepare(
        `SELECT ${COLUMNS} FROM sessions ${where} ORDER BY created_at, rowid`,
      );
      return statement.all(...values).map(readRow);
    });
  const insert = database.prepare(
    `INSERT INTO sessions (${COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?)`,
  );
  const update = database.prepare(
    `UPDATE sessions SET status = ?, turns = ?, conversation_id = ?, exit_code = ?, ended_at = ?
     WHERE id = ?`,
  );
  return {
    async insert(row) {
      typed(path, () => insert.run(...writeRow(row)));
    },
    get: async (id) => all("WHERE id = ?", id)[0],
    listBySandbox: async (sandboxId) => all("WHERE sandbox_id = ?", sandboxId),
    list: async (owner) => all("WHERE owner = ?", owner),
    async countOpen() {
      const count = database.prepare(`SELECT count(*) AS n FROM sessions WHERE ${OPEN}`);
      return typed(path, () => Number(count.get()?.["n"]));
    },
    async update(id, change) {
      const row = all("WHERE id = ?", id)[0];
      if (row === undefined) return;
      const next = { ...row, ...change };
      const [conversation, exitCode] = [next.conversationId ?? null, next.exitCode ?? null];
      const values = [next.status, next.turns, conversation, exitCode, next.endedAt ?? null, id];
      typed(path, () => update.run(...values));
    },
    async lose(at, sandboxId) {
      const which = sandboxId === undefined ? OPEN : `${OPEN} AND sandbox_id = ?`;
      const values = sandboxId === undefined ? [] : [sandboxId];
      const statement = database.prepare(
        `UPDATE sessions SET status = 'lost', ended_at = ? WHERE ${which} RETURNING id`,
      );
      return typed(path, () => statement.all(at, ...values).map((row) => String(row["id"])));
    },
  };
}

function writeRow(row: SessionRow): SQLInputValue[] {
  return [
    row.id,
    row.owner,
    row.sandboxId,
    row.agent,
    row.kind,
    row.status,
    row.turns,
    row.conversationId ?? null,
    row.exitCode ?? null,
    row.createdAt,
    row.endedAt ?? null,
  ];
}

function readRow(row: Record<string, SQLOutputValue>): SessionRow {
  const conversationId = row["conversation_id"];
  const exitCode = row["exit_code"];
  const endedAt = row["ended_at"];
  return {
    id: String(row["id"]),
    owner: String(row["owner"]),
    sandboxId: String(row["sandbox_id"]),
    agent: String(row["agent"]),
    kind: String(row["kind"]) as SessionRow["kind"],
    status: String(row["status"]) as SessionStatus,
    turns: Number(row["turns"]),
    ...(typeof conversationId === "string" ? { conversationId } : {}),
    ...(typeof exitCode === "number" ? { exitCode } : {}),
    createdAt: String(row["created_at"]),
    ...(typeof endedAt === "string" ? { endedAt } : {}),
  };
}
