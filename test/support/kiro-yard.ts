import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type KiroCloud,
  type KiroCloudOptions,
  startKiroCloud,
} from "../../simulator/cloud/cloud.ts";
import { kiro } from "../../src/agent/agents/kiro/kiro.ts";
import { shell } from "../../src/agent/agents/shell/shell.ts";
import { createAgentRegistry } from "../../src/agent/registry.ts";
import { SILENT_LOGGER } from "../../src/platform/logger.ts";
import { openRuntimeDirectory, resolvePaths } from "../../src/platform/paths.ts";
import type { SandboxCreate } from "../../src/protocol/sandbox.ts";
import type { StartEvent } from "../../src/protocol/start-event.ts";
import type { TemplateFile } from "../../src/protocol/template-file.ts";
import type { SessionCreate, SessionEvent, TurnEvent } from "../../src/protocol/session.ts";
import { createLocalProvider } from "../../src/sandbox/providers/local/provider.ts";
import type { SandboxProvider } from "../../src/sandbox/provider.ts";
import { runCommand } from "../../src/session/command.ts";
import { openStore } from "../../src/store/store.ts";
import { TEMPLATE_FILE } from "../../src/template/places.ts";
import { createEngine, type Engine } from "../../src/session/engine.ts";

const TEMPLATE = "golden";
const OWNER = "local:test";
/** The stand-in is smaller than what it stands for. */
const DISK_BYTES = 500_000_000;
const never = new AbortController().signal;

export type TurnEnd = TurnEvent & { type: "turn-end" };
export type SessionEnd = SessionEvent & { type: "session-end" };

/** A whole engine with real sandboxes, beside a simulated Kiro cloud that its mirrors lead to. */
export class KiroYard {
  readonly root: string;
  readonly workspace: string;
  readonly cloud: KiroCloud;
  readonly provider: SandboxProvider;
  engine: Engine;
  /** How far the engine's clock, as sign-ins go by it, is ahead. */
  readonly clock: { aheadMs: number };
  readonly #openEngine: () => Promise<Engine>;
  readonly #runtimeDirectory: string;
  #sandboxes = 0;

  private constructor(
    parts: Pick<KiroYard, "root" | "workspace" | "cloud" | "provider" | "engine" | "clock"> & {
      runtimeDirectory: string;
      openEngine: () => Promise<Engine>;
    },
  ) {
    this.root = parts.root;
    this.workspace = parts.workspace;
    this.cloud = parts.cloud;
    this.provider = parts.provider;
    this.engine = parts.engine;
    this.clock = parts.clock;
    this.#openEngine = parts.openEngine;
    this.#runtimeDirectory = parts.runtimeDirectory;
  }

  static async open(options: Partial<KiroCloudOptions> = {}): Promise<KiroYard> {
    const root = realpathSync(mkdtempSync(join(tmpdir(), "cg-kiro-")));
    chmodSync(root, 0o755);
    const workspace = join(root, "work");
    mkdirSync(workspace, { mode: 0o755 });
    const uid = process.getuid!();
    const environment = { CATTLEGRID_HOME: join(root, "state") };
    const paths = resolvePaths({ environment, uid, homeDirectory: join(root, "home") });
    openRuntimeDirectory(paths.runtimeDirectory, uid);
    const cloud = await startKiroCloud({
      directory: join(root, "cloud"),
      pollIntervalSeconds: 0.05,
      ...options,
    });
    const provider = createLocalProvider({
      stateDirectory: paths.providerDirectory("local"),
      runtimeDirectory: paths.runtimeDirectory,
    });
    const small = { ...kiro, install: { ...kiro.install!, diskBytes: DISK_BYTES } };
    const clock = { aheadMs: 0 };
    const openEngine = (): Promise<Engine> =>
      createEngine({
        paths,
        homeDirectory: join(root, "home"),
        providers: [provider],
        agents: createAgentRegistry([small, shell]),
        templates: [{ origin: "user", path: join(root, "templates") }],
        logger: SILENT_LOGGER,
        readerGraceMs: 1,
        now: () => new Date(Date.now() + clock.aheadMs),
      });
    const engine = await openEngine();
    const { runtimeDirectory } = paths;
    return new KiroYard({
      root,
      workspace,
      cloud,
      provider,
      engine,
      clock,
      openEngine,
      runtimeDirectory,
    });
  }

  /** A sandbox that runs, and what its start told. */
  async sandbox(agent = "kiro", profile?: string): Promise<{ id: string; events: StartEvent[] }> {
    const name = `${agent}-${++this.#sandboxes}`;
    const { sandbox } = await this.engine.sandboxes.create(OWNER, {
      agent,
      name,
      // One of its own: each test signs in for itself.
      loginProfile: profile ?? name,
      workspace: this.workspace,
      mirrors: this.mirrors(),
    });
    return { id: sandbox.id, events: await this.start(sandbox.id) };
  }

  mirrors(): { targets: string; certificates: string } {
    const certificates = readFileSync(this.cloud.authorityPath, "utf8");
    return { targets: this.cloud.mirrors, certificates };
  }

  async start(id: string): Promise<StartEvent[]> {
    const events: StartEvent[] = [];
    const onEvent = (event: StartEvent): void => void events.push(event);
    await this.engine.sandboxes.start(id, {}, { signal: never, onEvent });
    return events;
  }

  async session(sandboxId: string, request: Partial<SessionCreate> = {}): Promise<string> {
    const wanted = { kind: "interactive", ...request } as const;
    return (await this.engine.sessions.create(OWNER, sandboxId, wanted)).id;
  }

  /** A session of turns with an API key, which needs no login. */
  async chat(sandboxId: string, key = "ksk_simulated"): Promise<string> {
    return this.session(sandboxId, { kind: "turns", secrets: { KIRO_API_KEY: key } });
  }

  async ask(sessionId: string, prompt: string): Promise<TurnEnd> {
    return (await this.turn(sessionId, prompt)).at(-1) as TurnEnd;
  }

  turn(sessionId: string, prompt: string): Promise<TurnEvent[]> {
    return Array.fromAsync(this.engine.sessions.turn(sessionId, { prompt }, never));
  }

  async ending(sessionId: string): Promise<SessionEnd> {
    const events = await Array.fromAsync(this.engine.sessions.events(sessionId, never));
    return events.at(-1) as SessionEnd;
  }

  /** The event, once it has come; `purpose` tells terminals apart. */
  async until<T extends SessionEvent["type"]>(
    sessionId: string,
    type: T,
    purpose?: "login" | "agent",
  ): Promise<SessionEvent & { type: T }> {
    for await (const event of this.engine.sessions.events(sessionId, never)) {
      if (event.type !== type) continue;
      if (purpose !== undefined && (!("purpose" in event) || event.purpose !== purpose)) continue;
      return event as SessionEvent & { type: T };
    }
    throw new Error(`the session ended without ${type}`);
  }

  /** Reads a terminal until its text so far matches, and returns that text. */
  async see(terminalId: string, pattern: RegExp): Promise<string> {
    let text = "";
    const attachment = this.engine.terminals.get(terminalId).terminal.attach();
    for await (const event of attachment.events()) {
      if (event.kind === "output") text += event.bytes.toString();
      attachment.acknowledge(event.kind === "output" ? event.offset + event.bytes.length : 0);
      if (pattern.test(text)) break;
    }
    return text;
  }

  async type(terminalId: string, text: string): Promise<void> {
    await this.engine.terminals.get(terminalId).terminal.write(Buffer.from(text));
  }

  /** Runs a shell text inside and returns what it wrote. */
  async inside(sandboxId: string, script: string): Promise<string> {
    const running = await this.engine.sandboxes.running(sandboxId);
    const request = { argv: ["sh", "-c", script] };
    return (await runCommand(running, { request, signal: never })).stdout;
  }

  /** Closes the engine and opens another on the same state; `meanwhile` has the state to itself. */
  async restart(meanwhile: () => Promise<void> = () => Promise.resolve()): Promise<void> {
    await this.engine.close();
    await meanwhile();
    this.engine = await this.#openEngine();
  }

  /** A sandbox that was made from a template that says this, and runs. */
  async fromTemplate(
    said: Partial<TemplateFile>,
    asked: Partial<SandboxCreate> = {},
  ): Promise<string> {
    const directory = join(this.root, "templates", TEMPLATE);
    mkdirSync(directory, { recursive: true });
    const text = JSON.stringify({ version: 1, agent: "kiro", ...said });
    writeFileSync(join(directory, TEMPLATE_FILE), text);
    const { sandbox } = await this.engine.sandboxes.create(OWNER, {
      name: `${TEMPLATE}-${++this.#sandboxes}`,
      template: { name: TEMPLATE },
      workspace: this.workspace,
      mirrors: this.mirrors(),
      ...asked,
    });
    await this.start(sandbox.id);
    return sandbox.id;
  }

  /** Has a stopped sandbox's template say something else, or a sandbox without one have one, from its next start on. */
  async resay(sandboxId: string, said: Partial<TemplateFile>): Promise<void> {
    const source = await this.fromTemplate(said);
    await this.restart(async () => {
      const store = await openStore({ stateDirectory: join(this.root, "state") });
      const [from, to] = [await store.sandboxes.get(source), await store.sandboxes.get(sandboxId)];
      const { template, making } = from!.specification;
      const specification = { ...to!.specification, template: template!, making: making! };
      await store.sandboxes.update(sandboxId, { specification });
      await store.close();
    });
    await this.start(sandboxId);
  }

  async stopAll(): Promise<void> {
    const { sandboxes } = this.engine;
    for (const { id, status } of await sandboxes.list(OWNER)) {
      if (status === "running") await sandboxes.stop(id);
    }
  }

  async close(): Promise<void> {
    await this.engine.close();
    await this.cloud[Symbol.asyncDispose]();
    rmSync(this.#runtimeDirectory, { recursive: true, force: true });
    rmSync(this.root, { recursive: true, force: true });
  }
}
