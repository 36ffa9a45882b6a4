import { CattlegridError } from "../../../../errors/error.ts";
import { checkRequest } from "../../../guest/program-start.ts";
import type { ProcessRequest } from "../../../process.ts";
import type { ProcessDefaults } from "../bundle/bundle.ts";
import type { ExecTarget } from "./exec-target.ts";

/**
 * What a terminal cannot give a program by itself, in the order of its descriptors from 3 on. `gate`: two-way, tells
 * what became of the lookup and waits until the terminal is set up.
 */
export type ExtraDescriptor = "gate" | "errors" | "input";

export function extraDescriptors(request: ProcessRequest): readonly ExtraDescriptor[] {
  const { terminal, inputBytes } = request;
  if (terminal === undefined) return [];
  const errors = terminal.separateErrors === true ? (["errors"] as const) : [];
  const input = inputBytes === undefined ? [] : (["input"] as const);
  return ["gate", ...errors, ...input];
}

export const GATE_FOUND = "found\n";
export const GATE_MISSING = "missing\n";
export const GATE_DENIED = "denied\n";

const FIRST_EXTRA = 3;

/**
 * SECURITY: the script is made of constants alone; the program and its arguments come as positional parameters
 * and are never parsed by the shell. No descriptor of ours stays open in the program.
 */
function wrapperScript(extras: readonly ExtraDescriptor[]): string {
  const gate = FIRST_EXTRA + extras.indexOf("gate");
  const answer = (text: string): string => `printf '${text.trim()}\\n' >&${gate}`;
  const lines = [
    'case $1 in */*) [ -x "$1" ] && ! [ -d "$1" ];; *) command -v -- "$1" >/dev/null 2>&1;; esac',
    "if [ $? = 0 ]; then",
    `${answer(GATE_FOUND)}; IFS= read -r answer <&${gate} || exit 125`,
    `elif [ -e "$1" ]; then ${answer(GATE_DENIED)}; exit 126`,
    `else ${answer(GATE_MISSING)}; exit 127; fi`,
    ...extras.map((extra, index) => redirect(extra, FIRST_EXTRA + index)),
    'exec "$@"',
  ];
  return lines.join("\n");
}

function redirect(extra: ExtraDescriptor, fd: number): string {
  if (extra === "errors") return `exec 2>&${fd} ${fd}>&-`;
  return extra === "input" ? `exec <&${fd} ${fd}<&-` : `exec ${fd}<&-`;
}

/** The whole OCI process object: whatever it leaves out, the runtime would weaken. */
export function specifyProcess(target: ExecTarget, request: ProcessRequest): object {
  checkRequest(request);
  const { terminal } = request;
  const extras = extraDescriptors(request);
  const { env, ...defaults } = processOf(target, request);
  return {
    // SECURITY: user, capabilities, no_new_privs and limits: what the object leaves out, the runtime would weaken.
    ...defaults,
    terminal: terminal !== undefined,
    ...(terminal && { consoleSize: { width: terminal.columns, height: terminal.rows } }),
    args:
      extras.length === 0
        ? request.argv
        : ["/bin/sh", "-c", wrapperScript(extras), "sh", ...request.argv],
    env: mergeEnvironment(env, { ...request.environment, ...request.secrets }),
    cwd: request.cwd ?? target.cwd,
  };
}

/** SECURITY: only a sandbox that was made for it has a root to be. */
function processOf(
  { process, rootProcess }: ExecTarget,
  { root }: ProcessRequest,
): ProcessDefaults {
  if (root !== true) return process;
  if (rootProcess !== undefined) return rootProcess;
  throw new CattlegridError("PROVIDER_UNSUPPORTED", "Nothing runs as root in this sandbox.");
}

function mergeEnvironment(
  base: readonly string[],
  added: Readonly<Record<string, string>>,
): readonly string[] {
  const kept = base.filter((entry) => !Object.hasOwn(added, entry.slice(0, entry.indexOf("="))));
  return [...kept, ...Object.entries(added).map(([name, value]) => `${name}=${value}`)];
}
