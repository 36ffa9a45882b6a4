import { once } from "node:events";
import { Agent, request, type IncomingMessage } from "node:http";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { TerminalLink, type TerminalSink } from "../src/cli/terminal/terminal-link.ts";
import { CattlegridError } from "../src/errors/error.ts";
import { daemonEntry } from "../src/platform/daemon-start.ts";
import { resolvePaths } from "../src/platform/paths.ts";
import { spawnProcess, type ChildProcess } from "../src/platform/process.ts";
import type { Exec, ProcessStarted } from "../src/protocol/process.ts";
import type { Sandbox, SandboxCreate } from "../src/protocol/sandbox.ts";

/** Should the bench be killed, its sandboxes go with their leases and then the daemon. */
const IDLE_MS = 5_000;

const COLLECTING = join(import.meta.dirname, "collecting.ts");
const COLLECTING_MS = 1000;

/** A daemon of its own, started as `cattlegrid` starts it, and a client that keeps its connections. */
export class BenchDaemon implements AsyncDisposable {
  readonly socketPath: string;
  readonly runtimeDirectory: string;
  /** For command lines that are to find this daemon. */
  readonly environment: Readonly<Record<string, string>>;
  readonly workspace: string;
  readonly #child: ChildProcess;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #leases: IncomingMessage[] = [];

  private constructor(child: ChildProcess, directory: string) {
    this.#child = child;
    this.environment = environmentIn(directory);
    const paths = resolvePaths({
      environment: this.environment,
      uid: process.getuid?.() ?? 0,
      homeDirectory: directory,
    });
    this.socketPath = paths.socketFile;
    this.runtimeDirectory = paths.runtimeDirectory;
    this.workspace = join(directory, "workspace");
    mkdirSync(this.workspace);
  }

  /** Resolves when it listens. With `collects`, it obeys `collectGarbage`. */
  static async open(directory: string, { collects = false } = {}): Promise<BenchDaemon> {
    const argv = [
      process.execPath,
      "--disable-warning=ExperimentalWarning",
      ...(collects ? ["--expose-gc", "--import", COLLECTING] : []),
      daemonEntry(),
      "--idle-ms",
      String(IDLE_MS),
    ];
    const child = spawnProcess(argv, {
      cwd: "/",
      // Ctrl+C is for the bench, which then ends the daemon in good order.
      detached: true,
      stdio: ["ignore", "ignore", "pipe"],
      environment: environmentIn(directory),
    });
    const daemon = new BenchDaemon(child, directory);
    const listening = new Promise<boolean>((resolve) => {
      let text = "";
      child.stderr?.on("data", (bytes: Buffer) => {
        text += bytes.toString();
        if (text.includes("listens on")) resolve(true);
      });
      child.once("exit", () => resolve(false));
    });
    if (await listening) return daemon;
    throw new CattlegridError("DAEMON_UNREACHABLE", "The daemon to be measured did not start.");
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }

  /** Afterwards its memory is what it keeps; a process that is left alone gives back when it likes. */
  async collectGarbage(): Promise<void> {
    for (let round = 0; round < 2; round += 1) {
      process.kill(this.pid, "SIGUSR2");
      await delay(COLLECTING_MS);
    }
  }

  async post<T>(path: string, body: unknown): Promise<T> {
    return this.#ask<T>("POST", path, body);
  }

  async put<T>(path: string, body: unknown): Promise<T> {
    return this.#ask<T>("PUT", path, body);
  }

  /** A sandbox that runs, with a shell for an agent; it lives no longer than this client. */
  async start(name: string, more: Partial<SandboxCreate> = {}): Promise<Sandbox> {
    const fixed = { name, agent: "shell", workspace: this.workspace, ephemeral: true };
    const wish = { ...fixed, ...more };
    const { id } = await this.post<Sandbox>("/v1/sandboxes", wish);
    const lease = await this.#send("GET", `/v1/sandboxes/${id}/lease`);
    lease.on("error", () => undefined).resume();
    this.#leases.push(lease);
    return this.post<Sandbox>(`/v1/sandboxes/${id}/start`, {});
  }

  async remove(id: string): Promise<void> {
    const answer = await this.#send("DELETE", `/v1/sandboxes/${id}`);
    const text = await readText(answer);
    if ((answer.statusCode ?? 500) < 400) return;
    throw new CattlegridError("INTERNAL", `DELETE ${id}: ${text}`);
  }

  /** Starts a program and attaches to it. */
  async exec(sandboxId: string, exec: Exec, sink: TerminalSink): Promise<TerminalLink> {
    const path = `/v1/sandboxes/${sandboxId}/exec`;
    const { terminalId } = await this.post<ProcessStarted>(path, exec);
    const signal = new AbortController().signal;
    return TerminalLink.open({ socketPath: this.socketPath, terminalId, offset: 0, sink, signal });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const lease of this.#leases) lease.destroy();
    this.#agent.destroy();
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, "exit");
    this.#child.kill("SIGTERM");
    await exited;
  }

  async #ask<T>(method: string, path: string, body: unknown): Promise<T> {
    const answer = await this.#send(method, path, body);
    const text = await readText(answer);
    if ((answer.statusCode ?? 500) < 400) return JSON.parse(text) as T;
    throw new CattlegridError("INTERNAL", `${method} ${path}: ${text}`);
  }

  async #send(method: string, path: string, body?: unknown): Promise<IncomingMessage> {
    const payload = body === undefined ? undefined : JSON.stringify(body);
    const type = { "content-type": "application/json" };
    const outgoing = request({
      socketPath: this.socketPath,
      agent: this.#agent,
      method,
      path,
      ...(payload !== undefined && { headers: type }),
    });
    const answered = once(outgoing, "response");
    outgoing.end(payload);
    const [answer] = (await answered) as [IncomingMessage];
    return answer;
  }
}

function environmentIn(directory: string): Record<string, string> {
  const runtime = join(directory, "runtime");
  mkdirSync(runtime, { recursive: true, mode: 0o700 });
  return {
    PATH: process.env["PATH"] ?? "/usr/bin:/bin",
    HOME: directory,
    XDG_RUNTIME_DIR: runtime,
    CATTLEGRID_HOME: join(directory, "state"),
    LANG: "C.UTF-8",
  };
}

async function readText(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}
