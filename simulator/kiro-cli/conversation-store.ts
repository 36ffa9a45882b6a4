import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Context } from "./context.ts";
import type { ConversationRow } from "./database.ts";
import type { Engine } from "./profile.ts";

/** Where one engine keeps the conversations of a directory; none sees another's. */
export interface ConversationStore {
  /** Newest first. */
  list(): ConversationRow[];
  save(row: { id: string; value: string }): void;
  /** False when there was no such conversation. */
  delete(id: string): boolean;
}

export function openConversations(
  context: Context,
  engine: Engine,
  directory: string,
): ConversationStore {
  if (engine === "v1") {
    const database = context.database();
    return {
      list: () => database.conversations(directory),
      save: (row) => database.saveConversation(directory, row),
      delete: (id) => database.deleteConversation(directory, id),
    };
  }
  return new FileStore(engine, join(context.places.kiro, "sessions"), directory);
}

interface SessionFile {
  session_id: string;
  cwd: string;
  created_at: string;
  updated_at: string;
  session_state: { conversation: string };
}

/**
 * V2: `sessions/cli/<id>.json` and `.jsonl`. V3: `sessions/<hash of the directory>/sess_<id>/`. Names are Kiro's; of what
 * is inside only the outer fields are.
 */
class FileStore implements ConversationStore {
  readonly #engine: "v2" | "v3";
  readonly #folder: string;
  readonly #directory: string;

  constructor(engine: "v2" | "v3", sessions: string, directory: string) {
    const hash = createHash("sha256").update(directory).digest("hex").slice(0, 16);
    this.#engine = engine;
    this.#folder = join(sessions, engine === "v2" ? "cli" : hash);
    this.#directory = directory;
  }

  list(): ConversationRow[] {
    if (!existsSync(this.#folder)) return [];
    const files = readdirSync(this.#folder).flatMap((name) => this.#read(name) ?? []);
    return files
      .filter(({ cwd }) => cwd === this.#directory)
      .toSorted((a, b) => (a.updated_at < b.updated_at ? 1 : -1))
      .map((file) => ({
        id: file.session_id,
        value: file.session_state.conversation,
        updatedAtMs: Date.parse(file.updated_at),
      }));
  }

  save({ id, value }: { id: string; value: string }): void {
    const [session, messages] = this.#paths(id);
    mkdirSync(join(session, ".."), { recursive: true });
    const before = existsSync(session) ? readSession(session) : undefined;
    const now = new Date().toISOString();
    const file: SessionFile = {
      session_id: id,
      cwd: this.#directory,
      created_at: before?.created_at ?? now,
      updated_at: now,
      session_state: { conversation: value },
    };
    writeFileSync(session, JSON.stringify(file));
    const { transcript } = JSON.parse(value) as { transcript: readonly string[] };
    const lines = transcript.map((text) =>
      JSON.stringify({ kind: text.startsWith("> ") ? "Prompt" : "AssistantMessage", data: text }),
    );
    writeFileSync(messages, lines.map((line) => `${line}\n`).join(""));
  }

  delete(id: string): boolean {
    const paths = this.#paths(id);
    const isThere = existsSync(paths[0]);
    for (const path of paths) rmSync(path, { force: true });
    return isThere;
  }

  #paths(id: string): [session: string, messages: string] {
    if (this.#engine === "v2") {
      return [join(this.#folder, `${id}.json`), join(this.#folder, `${id}.jsonl`)];
    }
    const folder = join(this.#folder, `sess_${id}`);
    return [join(folder, "session.json"), join(folder, "messages.jsonl")];
  }

  #read(name: string): SessionFile | undefined {
    const path =
      this.#engine === "v2" ? join(this.#folder, name) : join(this.#folder, name, "session.json");
    return path.endsWith(".json") && existsSync(path) ? readSession(path) : undefined;
  }
}

function readSession(path: string): SessionFile {
  return JSON.parse(readFileSync(path, "utf8")) as SessionFile;
}
