import { CattlegridError } from "../errors/error.ts";
import { runForBytes, type CompletedProcess } from "./process.ts";

export interface GitRequest {
  /** A directory in which git looks for a repository; none above it counts. */
  repository: string;
  args: readonly string[];
  /** More configuration, laid over the repository's. */
  configuration?: readonly (readonly [string, string])[];
  /** Where new objects go instead of the repository's own, which are still read. */
  objects?: { directory: string; alternates: string };
  workingTree?: string;
  /** Whom git runs as, when this process is root. */
  identity?: { uid: number; gid: number };
  input?: string;
  signal?: AbortSignal;
}

/**
 * SECURITY: what makes git run a program or reach elsewhere, each shut by a value that no configuration file can take
 * back, as that of the command's own environment comes last. A repository's own file is read all the same, as
 * nothing can keep git from it; filters, which have any name, are shut by `shutFilters`.
 */
const CONFIGURATION: readonly (readonly [string, string])[] = [
  ["core.hooksPath", "/dev/null"],
  ["core.fsmonitor", "false"],
  ["core.sshCommand", "false"],
  ["core.gitProxy", "false"],
  ["core.askPass", ""],
  ["core.editor", "false"],
  ["core.pager", "cat"],
  ["core.alternateRefsCommand", "false"],
  ["core.attributesFile", "/dev/null"],
  ["core.excludesFile", "/dev/null"],
  ["credential.helper", ""],
  ["diff.external", ""],
  ["diff.ignoreSubmodules", "all"],
  ["fetch.recurseSubmodules", "false"],
  ["submodule.recurse", "false"],
  ["gc.auto", "0"],
  ["maintenance.auto", "false"],
  ["gpg.program", "false"],
  ["log.showSignature", "false"],
  ["protocol.allow", "never"],
  ["protocol.ext.allow", "never"],
  ["transfer.fsckObjects", "true"],
  // Whose repository it is decides nothing here, as nothing of it is obeyed.
  ["safe.directory", "*"],
];

const ENVIRONMENT: Readonly<Record<string, string>> = {
  HOME: "/nonexistent",
  XDG_CONFIG_HOME: "/nonexistent",
  LC_ALL: "C",
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_CONFIG_SYSTEM: "/dev/null",
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_ATTR_NOSYSTEM: "1",
  GIT_ALLOW_PROTOCOL: "none",
  GIT_NO_LAZY_FETCH: "1",
  GIT_NO_REPLACE_OBJECTS: "1",
  GIT_OPTIONAL_LOCKS: "0",
  GIT_TERMINAL_PROMPT: "0",
  GIT_ASKPASS: "false",
  GIT_SSH_COMMAND: "false",
  GIT_EDITOR: "false",
  GIT_PAGER: "cat",
};

/** Runs the host's git on a repository that others may have written, obeying nothing that is written there. */
export async function runGit(request: GitRequest): Promise<CompletedProcess> {
  const { stdout, ...rest } = await readGit(request);
  return { ...rest, stdout: stdout.toString("utf8") };
}

/** As `runGit`, for output that need not be text. */
export async function readGit(request: GitRequest): Promise<CompletedProcess<Buffer>> {
  const { repository, args, objects, workingTree, identity, input, signal } = request;
  const configuration = [...CONFIGURATION, ...(request.configuration ?? [])];
  const counted = configuration.flatMap(([key, value], index) => [
    [`GIT_CONFIG_KEY_${index}`, key],
    [`GIT_CONFIG_VALUE_${index}`, value],
  ]);
  const environment: Record<string, string> = {
    ...ENVIRONMENT,
    PATH: process.env["PATH"] ?? "/usr/local/bin:/usr/bin:/bin",
    GIT_CONFIG_COUNT: String(configuration.length),
    ...Object.fromEntries(counted),
    ...(workingTree === undefined ? {} : { GIT_WORK_TREE: workingTree }),
    ...(objects === undefined
      ? {}
      : {
          GIT_OBJECT_DIRECTORY: objects.directory,
          GIT_ALTERNATE_OBJECT_DIRECTORIES: quotePath(objects.alternates),
        }),
  };
  return runForBytes(["git", "--no-pager", ...args], {
    cwd: repository,
    environment,
    ...(identity === undefined ? {} : { identity }),
    ...(input === undefined ? {} : { input }),
    ...(signal === undefined ? {} : { signal }),
  });
}

/** The standard output of a git command that has to succeed, without its last line feed. */
export async function askGit(request: GitRequest): Promise<string> {
  const { code, stdout, stderr } = await runGit(request);
  if (code === 0) return stdout.replace(/\n$/, "");
  throw new CattlegridError("GIT_FAILED", `git ${request.args[0] ?? ""} failed: ${tell(stderr)}`);
}

/**
 * Configuration that shuts every filter driver of a repository.
 * SECURITY: git runs them when it compares files with its index, under names that the repository chooses.
 */
export async function shutFilters(
  repository: string,
): Promise<readonly (readonly [string, string])[]> {
  const args = ["config", "--null", "--name-only", "--get-regexp", "^filter[.]"];
  const { stdout } = await runGit({ repository, args });
  const keys = [...new Set(stdout.split("\0"))];
  const programs = keys.filter((key) => /\.(clean|smudge|process)$/.test(key));
  const demands = keys.filter((key) => key.endsWith(".required"));
  return [
    ...programs.map((key) => [key, ""] as const),
    ...demands.map((key) => [key, "false"] as const),
  ];
}

/** As git reads a list of paths: one with a quote or a separator in it is quoted as in C. */
function quotePath(path: string): string {
  return `"${path.replaceAll(/["\\]/g, String.raw`\$&`).replaceAll("\n", String.raw`\n`)}"`;
}

const TOLD_LENGTH_MAX = 500;

function tell(stderr: string): string {
  return stderr.trim().slice(-TOLD_LENGTH_MAX) || "it said nothing";
}
