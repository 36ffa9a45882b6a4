import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createAgentRegistry } from "../../src/agent/registry.ts";
import { shell } from "../../src/agent/agents/shell/shell.ts";
import { openLogFile, type LogFile } from "../../src/platform/logger.ts";
import { resolvePaths } from "../../src/platform/paths.ts";
import type { StartEvent } from "../../src/protocol/start-event.ts";
import type {
  SessionCreate,
  SessionEvent,
  TurnCreate,
  TurnEvent,
} from "../../src/protocol/session.ts";
import { createEngine, type Engine } from "../../src/session/engine.ts";
import { createProcessProvider, type ProcessProvider } from "./process-provider.ts";
import {
  createScriptedAgent,
  writeScriptedProgram,
  type ScriptedAgentOptions,
} from "./scripted-agent.ts";

const OWNER = "local:7";
const never = new AbortController().signal;

export type TurnEnd = TurnEvent & { type: "turn-end" };
export type SessionEnd = SessionEvent & { type: "session-end" };

/** A whole engine over host processes, with an agent that does as it is told. */
export class SessionYard {
  readonly root: string;
  readonly engine: Engine;
  readonly provider: ProcessProvider;
  readonly #log: LogFile;

  private constructor(parts: Pick<SessionYard, "root" | "engine" | "provider"> & { log: LogFile }) {
    this.root = parts.root;
    this.engine = parts.engine;
    this.provider = parts.provider;
    this.#log = parts.log;
  }

  static async open(change: Partial<ScriptedAgentOptions> = {}): Promise<SessionYard> {
    const root = realpathSync(mkdtempSync(join(tmpdir(), "cg-session-")));
    mkdirSync(join(root, "work"));
    const environment = { CATTLEGRID_HOME: join(root, "state"), XDG_RUNTIME_DIR: root };
    const uid = process.getuid!();
    const paths = resolvePaths({ environment, uid, homeDirectory: join(root, "home") });
    const provider = createProcessProvider(join(root, "provider"));
    const log = openLogFile({ path: join(root, "engine.log"), level: "debug" });
    const tool = createScriptedAgent({ program: writeScriptedProgram(root), ...change });
    const engine = await createEngine({
      paths,
      homeDirectory: join(root, "home"),
      providers: [provider],
      agents: createAgentRegistry([tool, shell]),
      templates: [{ origin: "user", path: paths.templatesDirectory }],
      logger: log,
      readerGraceMs: 1,
    });
    return new SessionYard({ root, engine, provider, log });
  }

  /** A running sandbox, signed in unless told otherwise. */
  async sandbox(options: { signedIn?: boolean; agent?: string } = {}): Promise<string> {
    const { sandbox } = await this.engine.sandboxes.create(OWNER, {
      agent: options.agent ?? "tool",
      workspace: join(this.root, "work"),
    });
    await this.start(sandbox.id);
    if (options.signedIn !== false)
      writeFileSync(join(this.home(sandbox.id), "account"), "someone\n");
    return sandbox.id;
  }

  async start(id: string, onEvent?: (event: StartEvent) => void): Promise<void> {
    const watcher = { signal: never, ...(onEvent === undefined ? {} : { onEvent }) };
    await this.engine.sandboxes.start(id, {}, watcher);
  }

  home(sandboxId: string): string {
    return join(this.root, "provider/homes", sandboxId);
  }

  async session(sandboxId: string, request: Partial<SessionCreate> = {}): Promise<string> {
    const wanted = { kind: "interactive", ...request } as const;
    return (await this.engine.sessions.create(OWNER, sandboxId, wanted)).id;
  }

  /** A session of turns. */
  async chat(request: Partial<SessionCreate> = {}): Promise<string> {
    return this.session(await this.sandbox(), { kind: "turns", ...request });
  }

  events(sessionId: string): Promise<SessionEvent[]> {
    return Array.fromAsync(this.engine.sessions.events(sessionId, never));
  }

  async ending(sessionId: string): Promise<SessionEnd> {
    return (await this.events(sessionId)).at(-1) as SessionEnd;
  }

  async until<T extends SessionEvent["type"]>(
    sessionId: string,
    type: T,
  ): Promise<SessionEvent & { type: T }> {
    for await (const event of this.engine.sessions.events(sessionId, never)) {
      if (event.type === type) return event as SessionEvent & { type: T };
    }
    throw new Error(`the session ended without ${type}`);
  }

  turn(sessionId: string, request: TurnCreate, signal = never): AsyncIterable<TurnEvent> {
    return this.engine.sessions.turn(sessionId, request, signal);
  }

  /** Runs a turn to its end. */
  async ask(sessionId: string, prompt: string): Promise<TurnEnd & { resumed: boolean }> {
    const events = await Array.fromAsync(this.turn(sessionId, { prompt }));
    const start = events[0] as TurnEvent & { type: "turn-start" };
    return { ...(events.at(-1) as TurnEnd), resumed: start.resumed };
  }

  /** Everything that is kept of what went on: database and log. */
  records(): string {
    const files = ["state/state.db", "state/state.db-wal", "engine.log"];
    return files.map((file) => readFileSync(join(this.root, file)).toString("latin1")).join("\n");
  }

  async close(): Promise<void> {
    await this.engine.close();
    this.#log.close();
    rmSync(this.root, { recursive: true, force: true });
  }
}
