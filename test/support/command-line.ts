import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chownSync, existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { resolvePaths, type Paths } from "../../src/platform/paths.ts";

const PROGRAM = join(import.meta.dirname, "../../bin/cattlegrid");

export interface CommandResult {
  code: number;
  stdout: string;
  stderr: string;
  bytes: Buffer;
}

export interface CommandOptions {
  /** Written to standard input, which then ends. Default: nothing. */
  input?: string | Uint8Array;
  environment?: Readonly<Record<string, string>>;
  cwd?: string;
}

/** Runs `bin/cattlegrid` against an installation of its own, in a folder that is gone afterwards. */
export class CommandLine {
  readonly directory: string;
  readonly workspace: string;
  readonly environment: Record<string, string>;
  readonly paths: Paths;
  readonly #uid: number | undefined;

  /** As another user than this one where `uid` says so. */
  constructor({ uid }: { uid?: number } = {}) {
    this.#uid = uid;
    this.directory = realpathSync(mkdtempSync(join(tmpdir(), "cg-cli-")));
    this.workspace = join(this.directory, "my, project: one");
    mkdirSync(this.workspace);
    this.environment = {
      PATH: process.env["PATH"] ?? "",
      HOME: join(this.directory, "home"),
      CATTLEGRID_HOME: join(this.directory, "state"),
      TERM: "xterm",
      LANG: "C.UTF-8",
    };
    mkdirSync(join(this.directory, "home"));
    const { environment, directory } = this;
    if (uid !== undefined) {
      for (const path of ["", "home", this.workspace.slice(directory.length)]) {
        chownSync(join(directory, path), uid, uid);
      }
    }
    const own = uid ?? process.getuid?.() ?? -1;
    this.paths = resolvePaths({ environment, uid: own, homeDirectory: directory });
  }

  spawn(argv: readonly string[], options: CommandOptions = {}): ChildProcess {
    const as = this.#uid === undefined ? {} : { uid: this.#uid, gid: this.#uid };
    return spawn(PROGRAM, argv, {
      ...as,
      cwd: options.cwd ?? this.workspace,
      env: { ...this.environment, ...options.environment },
      stdio: "pipe",
    });
  }

  async run(argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    const child = this.spawn(argv, options);
    const result = collect(child);
    child.stdin?.on("error", () => undefined);
    child.stdin?.end(options.input ?? "");
    return result;
  }

  /** As a user writes it in a shell. */
  quote(...argv: readonly string[]): string {
    return [PROGRAM, ...argv]
      .map((word) => `'${word.replaceAll("'", String.raw`'\''`)}'`)
      .join(" ");
  }

  /** Fails when the product leaves anything of itself. */
  async close(): Promise<void> {
    const { code, stderr } = await this.run(["reset", "--yes"]);
    const { stateDirectory, runtimeDirectory } = this.paths;
    const left = [stateDirectory, runtimeDirectory].filter((path) => existsSync(path));
    rmSync(this.directory, { recursive: true, force: true });
    if (code !== 0) throw new Error(`reset failed with ${code}: ${stderr}`);
    if (left.length > 0) throw new Error(`reset left ${left.join(" and ")}`);
  }
}

export async function collect(child: ChildProcess): Promise<CommandResult> {
  const [stdout, stderr]: [Buffer[], Buffer[]] = [[], []];
  child.stdout?.on("data", (chunk: Buffer) => stdout.push(chunk));
  child.stderr?.on("data", (chunk: Buffer) => stderr.push(chunk));
  const [status, signal] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
  const code = status ?? 128 + (signal === null ? 0 : constants.signals[signal]);
  const bytes = Buffer.concat(stdout);
  return { code, bytes, stdout: bytes.toString(), stderr: Buffer.concat(stderr).toString() };
}
