import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import {
  collect,
  type CommandLine,
  type CommandOptions,
  type CommandResult,
} from "./command-line.ts";
import { allOf, program, requirement, type Requirement } from "./requirement.ts";

const SERVERS = ["/usr/lib/openssh/sftp-server", "/usr/libexec/openssh/sftp-server"];

const sftpServer = requirement("sftp-server", () =>
  SERVERS.some((path) => existsSync(path)) ? undefined : "not installed",
);

/** The machine's own OpenSSH, and what it needs inside. */
export const openSshNeeds: Requirement = allOf(
  ...["crun", "ssh", "scp", "sftp"].map(program),
  sftpServer,
);

/** The machine's OpenSSH with a configuration of its own, which the command line wrote. */
export class OpenSsh {
  readonly configuration: string;
  readonly #cli: CommandLine;

  private constructor(cli: CommandLine) {
    this.#cli = cli;
    this.configuration = join(cli.directory, "ssh config");
  }

  static async install(cli: CommandLine): Promise<OpenSsh> {
    const ssh = new OpenSsh(cli);
    const argv = ["ssh-config", "--install", "--file", ssh.configuration];
    const { code, stderr } = await cli.run(argv);
    if (code !== 0) throw new Error(stderr);
    return ssh;
  }

  spawn(program: string, argv: readonly string[], options: CommandOptions = {}): ChildProcess {
    return spawn(program, ["-F", this.configuration, ...argv], {
      cwd: options.cwd ?? this.#cli.directory,
      env: { ...this.#cli.environment, SHELL: "/bin/sh", ...options.environment },
      stdio: "pipe",
    });
  }

  /** `ssh` with these arguments. */
  run(argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    return this.runProgram("ssh", argv, options);
  }

  runProgram(
    name: "ssh" | "scp" | "sftp",
    argv: readonly string[],
    options: CommandOptions = {},
  ): Promise<CommandResult> {
    const child = this.spawn(name, argv, options);
    child.stdin?.on("error", () => undefined);
    child.stdin?.end(options.input ?? "");
    return collect(child);
  }

  /** A connection with a program in it, once that runs; disposing ends it in good order. */
  async hold(argv: readonly string[]): Promise<HeldConnection> {
    const child = this.spawn("ssh", [...argv, "echo ready; cat"]);
    const result = collect(child);
    const errors: Buffer[] = [];
    child.stderr?.on("data", (chunk: Buffer) => errors.push(chunk));
    const begun = await Promise.race([once(child.stdout!, "data"), result]);
    if ("code" in begun) throw new Error(begun.stderr);
    return {
      errors: () => Buffer.concat(errors).toString(),
      async [Symbol.asyncDispose]() {
        child.stdin?.end();
        await result;
      },
    };
  }
}

export interface HeldConnection extends AsyncDisposable {
  /** What its client has complained of so far. */
  errors(): string;
}
