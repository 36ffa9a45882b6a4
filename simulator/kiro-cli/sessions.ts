import type { ParsedArguments } from "./arguments.ts";
import type { Context } from "./context.ts";
import { openConversations } from "./conversation-store.ts";
import { describeRow } from "./conversation.ts";
import { CommandFailure } from "./failure.ts";
import type { Engine } from "./profile.ts";

/** V1 lists on stderr; the JSON form is the simulator's own, as no record of Kiro's was found. */
export function listSessions(context: Context, options: ParsedArguments, engine: Engine): void {
  const rows = openConversations(context, engine, process.cwd()).list();
  const format = options.value("format") ?? "plain";
  if (format !== "plain") {
    const sessions = rows.map((row) => ({
      sessionId: row.id,
      updatedAt: new Date(row.updatedAtMs).toISOString(),
      ...describeRow(row),
    }));
    const indent = format === "json-pretty" ? 2 : 0;
    process.stdout.write(`${JSON.stringify(sessions, null, indent)}\n`);
    return;
  }
  if (rows.length === 0) process.stderr.write("No saved sessions\n");
  for (const row of rows) {
    const { preview, messages } = describeRow(row);
    process.stderr.write(
      `\u001b[38;5;141mChat SessionId: \u001b[0m${row.id}\n` +
        `  ${formatAge(Date.now() - row.updatedAtMs)} | ${preview} | ${String(messages)} msgs | ${engine}\n`,
    );
  }
}

export function deleteSession(context: Context, id: string, engine: Engine): void {
  if (!openConversations(context, engine, process.cwd()).delete(id)) {
    throw new CommandFailure(`Session not found: ${id}`);
  }
  process.stderr.write(`Deleted session ${id}\n`);
}

const UNITS: readonly [string, number][] = [
  ["day", 24 * 60 * 60 * 1000],
  ["hour", 60 * 60 * 1000],
  ["minute", 60 * 1000],
  ["second", 1000],
];

export function formatAge(ageMs: number): string {
  const [name, unitMs] = UNITS.find(([, size]) => ageMs >= size) ?? ["second", 1000];
  const count = Math.max(0, Math.floor(ageMs / unitMs));
  return `${String(count)} ${name}${count === 1 ? "" : "s"} ago`;
}
