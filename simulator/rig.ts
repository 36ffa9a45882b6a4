import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { startKiroCloud } from "./cloud/cloud.ts";
import type { KiroCloud, KiroCloudOptions } from "./cloud/cloud.ts";
import { compileStandIn } from "./cloud/program.ts";

const COMPILED = join(import.meta.dirname, "..", "node_modules", ".cache", "kiro-simulator");
const LAUNCHERS = join(import.meta.dirname, "kiro-cli", "bin");

export interface Finished {
  exitCode: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  environment?: Readonly<Record<string, string>>;
  /** Sent to stdin, which is then closed; default nothing. */
  input?: string;
}

/** A program whose output can be waited for while it runs. */
export interface Running {
  readonly child: ChildProcess;
  /** Everything shown so far. */
  output(): string;
  /** Resolves once the output matches; rejects when the program ends first. */
  until(pattern: RegExp): Promise<void>;
  write(text: string): void;
  finished: Promise<Finished>;
}

/** The stand-in run on this machine, without a sandbox, against a cloud of its own. */
export interface Rig extends AsyncDisposable {
  cloud: KiroCloud;
  home: string;
  /** Where the program runs: what conversations are keyed by. */
  workspace: string;
  run(words: readonly string[], options?: RunOptions): Promise<Finished>;
  start(words: readonly string[], options?: RunOptions): Running;
  /** On a terminal of its own; both outputs are one. */
  startInTerminal(words: readonly string[], options?: RunOptions): Running;
  /** Signs in by device flow with the cloud approving. */
  signIn(): Promise<void>;
  /** Whether xdg-open succeeds. */
  setBrowser(opens: boolean): Promise<void>;
}

export async function createRig(options: Partial<KiroCloudOptions> = {}): Promise<Rig> {
  await using stack = new AsyncDisposableStack();
  const root = await mkdtemp(join(tmpdir(), "kiro-rig-"));
  stack.defer(() => rm(root, { recursive: true, force: true }));
  const folders = {
    home: join(root, "home"),
    workspace: join(root, "workspace"),
    program: join(root, "program"),
    path: join(root, "path"),
  };
  for (const folder of Object.values(folders)) await mkdir(folder);
  await symlink(process.execPath, join(folders.program, "node"));
  await symlink(process.execPath, join(folders.path, "node"));
  const program = await compileStandIn(COMPILED);
  for (const name of await readdir(program)) {
    await symlink(join(program, name), join(folders.program, name));
  }
  const cloud = stack.use(
    await startKiroCloud({
      directory: join(root, "cloud"),
      pollIntervalSeconds: 0.05,
      ...options,
    }),
  );
  const environment = {
    HOME: folders.home,
    PATH: [folders.path, process.env["PATH"] ?? ""].join(delimiter),
    TERM: "xterm-256color",
    LANG: "C.UTF-8",
    FAKE_KIRO_CONNECT: cloud.address,
    FAKE_KIRO_PROGRAM: folders.program,
    SSL_CERT_FILE: cloud.authorityPath,
  };
  const start = (command: readonly string[], run: RunOptions = {}): Running =>
    startProgram(command, {
      environment: { ...environment, ...run.environment },
      directory: folders.workspace,
    });
  const rig = createControls({ cloud, folders, start });
  await rig.setBrowser(false);
  const owned = stack.move();
  return { ...rig, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

interface Parts {
  cloud: KiroCloud;
  folders: { home: string; workspace: string; path: string };
  start(command: readonly string[], options?: RunOptions): Running;
}

function createControls({ cloud, folders, start }: Parts): Omit<Rig, typeof Symbol.asyncDispose> {
  const kiro = join(LAUNCHERS, "kiro-cli");
  const run: Rig["run"] = async (words, options = {}) => {
    const running = start([kiro, ...words], options);
    running.child.stdin?.end(options.input ?? "");
    return running.finished;
  };
  return {
    cloud,
    home: folders.home,
    workspace: folders.workspace,
    run,
    start: (words, options) => start([kiro, ...words], options),
    startInTerminal: (words, options) =>
      // util-linux's script(1) owns the terminal: what we write to its stdin is typed there.
      start(
        ["script", "-qefc", `exec ${[kiro, ...words].map(quote).join(" ")}`, "/dev/null"],
        options,
      ),
    async signIn() {
      const running = start([kiro, "login", "--use-device-flow"]);
      await running.until(/Code: \S+/);
      for (const code of cloud.pendingCodes()) cloud.approve(code);
      const { exitCode, stderr } = await running.finished;
      if (exitCode !== 0) throw new Error(`The sign-in failed: ${stderr}`);
    },
    async setBrowser(opens) {
      const program = join(folders.path, "xdg-open");
      await writeFile(program, `#!/bin/sh\nexit ${opens ? "0" : "3"}\n`);
      await chmod(program, 0o755);
    },
  };
}

function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

interface Start {
  environment: Readonly<Record<string, string>>;
  directory: string;
}

function startProgram(command: readonly string[], { environment, directory }: Start): Running {
  const [program = "", ...words] = command;
  const child = spawn(program, words, { cwd: directory, env: environment, stdio: "pipe" });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on("data", (bytes: Buffer) => stdout.push(bytes));
  child.stderr.on("data", (bytes: Buffer) => stderr.push(bytes));
  const output = (): string => Buffer.concat([...stdout, ...stderr]).toString();
  const finished = once(child, "close").then(([exitCode, signal]) => ({
    exitCode: exitCode as number | null,
    signal: signal as NodeJS.Signals | null,
    stdout: Buffer.concat(stdout).toString(),
    stderr: Buffer.concat(stderr).toString(),
  }));
  return {
    child,
    output,
    finished,
    write: (text) => child.stdin.write(text),
    until: (pattern) =>
      new Promise((resolve, reject) => {
        const check = (): void => {
          if (pattern.test(output())) resolve();
        };
        child.stdout.on("data", check);
        child.stderr.on("data", check);
        child.once("close", () =>
          reject(new Error(`ended before ${String(pattern)}: ${output()}`)),
        );
        check();
      }),
  };
}
