import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { chmodSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type KiroCloud,
  type KiroCloudOptions,
  startKiroCloud,
} from "../../simulator/cloud/cloud.ts";
import { resolvePaths } from "../../src/platform/paths.ts";
import type { Sandbox } from "../../src/protocol/sandbox.ts";
import { type Finished, RunningProgram } from "./running-program.ts";
import { mountsNaming, processesNaming } from "./traces.ts";

const CATTLEGRID = join(import.meta.dirname, "../../bin/cattlegrid");
/**
 * A key that the simulated cloud takes. No file, log or command line may hold it. It is another one in each run, since
 * tests look for it in every process of the machine.
 */
export const KEY = `ksk_canary_${randomBytes(6).toString("hex")}`;

export interface RunOptions {
  environment?: Readonly<Record<string, string>>;
  /** Given on standard input, which then ends. */
  input?: string;
  directory?: string;
}

/** The command line as a user has it: the real daemon and sandboxes, beside a simulated Kiro cloud. */
export class CommandLineYard {
  readonly root: string;
  readonly workspace: string;
  readonly cloud: KiroCloud;
  readonly environment: Record<string, string>;
  readonly #started: RunningProgram[] = [];

  private constructor(root: string, cloud: KiroCloud) {
    this.root = root;
    this.workspace = join(root, "work");
    this.cloud = cloud;
    this.environment = {
      PATH: process.env["PATH"] ?? "",
      HOME: join(root, "home"),
      TERM: "xterm-256color",
      LANG: "C.UTF-8",
      XDG_CACHE_HOME: join(root, "cache"),
      CATTLEGRID_HOME: join(root, "state"),
      CATTLEGRID_MIRRORS: cloud.mirrors,
      CATTLEGRID_MIRROR_CA: cloud.authorityPath,
    };
  }

  static async open(options: Partial<KiroCloudOptions> = {}): Promise<CommandLineYard> {
    const root = realpathSync(mkdtempSync(join(tmpdir(), "cg-line-")));
    // The sandbox's user must come through to the workspace.
    chmodSync(root, 0o755);
    for (const folder of ["work", "home"]) mkdirSync(join(root, folder), { mode: 0o755 });
    const cloud = await startKiroCloud({
      directory: join(root, "cloud"),
      pollIntervalSeconds: 0.05,
      apiKeys: [KEY],
      ...options,
    });
    return new CommandLineYard(root, cloud);
  }

  start(words: readonly string[], options: RunOptions = {}): RunningProgram {
    return this.#own(new RunningProgram([CATTLEGRID, ...words], this.#place(options)));
  }

  run(words: readonly string[], options: RunOptions = {}): Promise<Finished> {
    const running = this.start(words, options);
    running.end(options.input);
    return running.finished;
  }

  /** Prompts one after the other in a new sandbox with the API key, which spares the login. */
  chat(words: readonly string[], options: RunOptions = {}): Promise<Finished> {
    const environment = { KIRO_API_KEY: KEY, ...options.environment };
    return this.run(["chat", "kiro", "-e", "KIRO_API_KEY", ...words], { ...options, environment });
  }

  /** On a terminal of its own, 100 by 30, both streams in one; `cattlegrid` is on the PATH of the shell text. */
  startInTerminal(script: string, options: RunOptions = {}): RunningProgram {
    // util-linux's script(1) owns the terminal: what is written to its input is typed there.
    const argv = ["script", "-qefc", `stty rows 30 cols 100; ${script}`, "/dev/null"];
    const { environment, directory } = this.#place(options);
    const path = `${join(CATTLEGRID, "..")}:${environment["PATH"] ?? ""}`;
    const shell = { ...environment, PATH: path, SHELL: "/bin/sh" };
    return this.#own(new RunningProgram(argv, { environment: shell, directory }));
  }

  async sandboxes(): Promise<Sandbox[]> {
    const { stdout } = await this.run(["ls", "--json"]);
    return (JSON.parse(stdout.toString()) as { sandboxes: Sandbox[] }).sandboxes;
  }

  /** A sandbox that runs and is signed in. */
  async signIn(name: string): Promise<void> {
    const approve = ({ userCode }: { userCode: string }): void => void this.cloud.approve(userCode);
    this.cloud.events.on("waiting", approve);
    const login = ["run", "kiro", "--name", name, "--", "login", "--use-device-flow"];
    const { exitCode, text } = await this.run(login);
    this.cloud.events.off("waiting", approve);
    if (exitCode !== 0) throw new Error(`the login failed: ${text}`);
  }

  async inside(name: string, script: string): Promise<string> {
    const { stdout } = await this.run(["exec", name, "--", "sh", "-c", script]);
    return stdout.toString();
  }

  get daemonPid(): number {
    const text = readFileSync(join(this.root, "state", "daemon.json"), "utf8");
    return (JSON.parse(text) as { pid: number }).pid;
  }

  /** Removes everything through the command line, and throws when anything of it is left. */
  async close(): Promise<void> {
    // Only a test that failed leaves one running.
    for (const { child } of this.#started) child.kill("SIGKILL");
    const { exitCode, text } = await this.run(["reset", "--yes"]);
    await this.cloud[Symbol.asyncDispose]();
    const { environment } = this;
    const paths = resolvePaths({
      environment,
      uid: process.getuid!(),
      homeDirectory: environment["HOME"]!,
    });
    const left = {
      exitCode,
      files: [paths.stateDirectory, paths.runtimeDirectory].filter((path) => existsSync(path)),
      processes: processesNaming(this.root),
      mounts: mountsNaming(this.root),
    };
    rmSync(this.root, { recursive: true, force: true });
    const nothing = { exitCode: 0, files: [], processes: [], mounts: [] };
    if (JSON.stringify(left) === JSON.stringify(nothing)) return;
    throw new Error(`left behind: ${JSON.stringify(left)}\n${text}`);
  }

  #own(program: RunningProgram): RunningProgram {
    this.#started.push(program);
    return program;
  }

  #place({ environment = {}, directory = this.workspace }: RunOptions): {
    environment: Record<string, string>;
    directory: string;
  } {
    return { environment: { ...this.environment, ...environment }, directory };
  }
}
