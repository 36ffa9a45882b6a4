import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { CattlegridError } from "../../src/errors/error.ts";
import { exitCode, runProcess, spawnProcess } from "../../src/platform/process.ts";
import type { Aftermath, Subject } from "../statistics.ts";

/** Another program that runs things in sandboxes, ready to be timed. */
export interface Peer extends AsyncDisposable {
  subjects: Readonly<Record<string, Subject>>;
}

export type Environment = Readonly<Record<string, string>>;

export interface Command {
  /** Default: this process's own. */
  environment?: Environment;
  cwd: string;
}

/** Types a command: from its start to the first byte that it prints. */
export async function typeCommand(argv: readonly string[], at: Command): Promise<Aftermath> {
  const child = spawnProcess(argv, { ...at, stdio: ["ignore", "pipe", "pipe"] });
  let errors = "";
  child.stderr?.on("data", (bytes: Buffer) => (errors += bytes.toString()));
  let printed = false;
  const first = Promise.withResolvers<void>();
  child.stdout?.on("data", () => {
    printed = true;
    first.resolve();
  });
  const ended = Promise.withResolvers<void>();
  child.once("error", ended.reject);
  child.once("close", (exit, signal) => {
    const code = exitCode(exit, signal);
    if (code === 0 && printed) return ended.resolve();
    const message = `${argv[0]} ended with ${code}: ${errors.trim() || "it printed nothing"}`;
    ended.reject(new CattlegridError("INTERNAL", message));
  });
  await Promise.race([first.promise, ended.promise]);
  return () => ended.promise;
}

/** Runs a command to its end and returns what it printed. */
export async function succeed(argv: readonly string[], at: Command): Promise<string> {
  const { code, stdout, stderr } = await runProcess(argv, at);
  if (code === 0) return stdout.trim();
  throw new CattlegridError("INTERNAL", `${argv[0]} ended with ${code}: ${stderr.trim()}`);
}

/**
 * An environment on whose PATH `programs` are: this machine's own or, when one is missing, those of Debian's
 * `packages`, unpacked below `directory`. So nothing is installed and no service is started.
 */
export async function findPrograms(
  programs: readonly string[],
  packages: readonly string[],
  directory: string,
): Promise<Environment> {
  const path = process.env["PATH"] ?? "/usr/bin:/bin";
  const environment = { PATH: path, HOME: directory, TMPDIR: directory, LANG: "C.UTF-8" };
  if (programs.every((program) => isOnPath(program, path))) return environment;
  const root = join(directory, "debian");
  // Root downloads as itself: the directory is closed to everybody else.
  const script =
    'apt-get -o APT::Sandbox::User=root download -q "$@" && for p in *.deb; do dpkg-deb -x "$p" debian; done';
  await succeed(["sh", "-c", script, "sh", ...packages], { environment, cwd: directory });
  const libraries = `${root}/usr/lib/${process.arch === "arm64" ? "aarch64" : "x86_64"}-linux-gnu`;
  const unpacked = [`${root}/usr/sbin`, `${root}/usr/bin`, path].join(delimiter);
  return { ...environment, PATH: unpacked, LD_LIBRARY_PATH: libraries };
}

function isOnPath(program: string, path: string): boolean {
  return path.split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
