import { homedir } from "node:os";
import { asCattlegridError, CattlegridError } from "../errors/error.ts";
import { findDaemon } from "../platform/daemon-file.ts";
import { resolvePaths } from "../platform/paths.ts";
import { Api } from "./api.ts";
import { type Caller, isReaderGone, write } from "./caller.ts";
import { type ShellSignal, Signals } from "./signals.ts";
import { findNearest } from "../platform/nearest-name.ts";
import type { BoundVerb, VerbContext } from "./verb.ts";
import { VERBS } from "./verbs.ts";

/** Errors about a name that is not there. */
const NAMES_SOMETHING = new Set(["SANDBOX_NOT_FOUND", "AGENT_UNKNOWN"]);

/** Runs one command line. Resolves with the exit status, once everything is written. */
export async function runProgram(argv: readonly string[]): Promise<number> {
  const caller = openCaller();
  let endedBy: ShellSignal | undefined;
  const interruption = new AbortController();
  const signals = new Signals((signal) => {
    endedBy ??= signal;
    interruption.abort(new CattlegridError("INTERRUPTED", "Interrupted."));
  });
  let status: number;
  const api = openApi(caller, interruption.signal);
  try {
    if (argv.some((word) => word.includes("\uFFFD"))) {
      const { checkText } = await import("./argument-text.ts");
      checkText(argv);
    }
    const verb = await findVerb(argv, caller);
    const context = { caller, signals, api };
    status = typeof verb === "number" ? verb : await verb.run(context);
  } catch (thrown) {
    status = await reportFailure(thrown, { caller, endedBy, argv, api });
  }
  await Promise.all([write(caller.output, ""), write(caller.errors, "")]);
  return status;
}

interface FailedCommand {
  caller: Caller;
  endedBy: ShellSignal | undefined;
  argv: readonly string[];
  api: Api;
}

async function reportFailure(
  thrown: unknown,
  { caller, endedBy, argv, api }: FailedCommand,
): Promise<number> {
  const { renderError } = await import("./output/error-text.ts");
  const { exitCodeOf } = await import("./exit-code.ts");
  let error = asCattlegridError(thrown);
  if (NAMES_SOMETHING.has(error.code)) {
    const { suggestName } = await import("./creation/name-suggestion.ts");
    error = await suggestName(error, argv, api);
  }
  const text = renderError(error);
  await write(caller.errors, /apt-get|sudo /.test(text) ? await translate(text, caller) : text);
  return exitCodeOf(error, endedBy);
}

/** Hints name Debian's packages; whoever reads them may have another system. */
async function translate(text: string, { uid }: Caller): Promise<string> {
  const { readDistribution, translateInstall } = await import("../platform/system-packages.ts");
  return translateInstall(text, { tool: readDistribution().tool, isRoot: uid === 0 });
}

function openCaller(): Caller {
  const { stdout: output, stderr: errors, env: environment } = process;
  const uid = process.getuid?.() ?? 0;
  let input: Caller["input"] | undefined;
  return {
    environment,
    uid,
    output: tolerate(output),
    errors: tolerate(errors),
    /** Opened only by the verbs that read it: opening alone makes a waiting terminal ours. */
    get input() {
      input ??= tolerate(process.stdin);
      return input;
    },
    get directory() {
      return readDirectory();
    },
    get paths() {
      return resolvePaths({ environment, uid, homeDirectory: homedir() });
    },
  };
}

/** Whoever writes sees the failure of that write; the stream itself may fail unseen when its other end is gone. */
function tolerate<T extends NodeJS.EventEmitter>(stream: T): T {
  return stream.on("error", (error: unknown) => {
    if (!isReaderGone(error)) throw error;
  });
}

function readDirectory(): string {
  try {
    return process.cwd();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    throw new CattlegridError("WORKSPACE_MISSING", "The current directory no longer exists.");
  }
}

function openApi(caller: Caller, signal: AbortSignal): VerbContext["api"] {
  const { uid, environment } = caller;
  const find = async (): Promise<string> => {
    const { paths } = caller;
    const running = await findDaemon(paths, uid);
    if (running !== undefined) return running;
    const { ensureDaemon } = await import("../platform/daemon-start.ts");
    return ensureDaemon({ paths, uid, environment, signal });
  };
  return new Api(find, signal, async (problem) => {
    if (problem.code !== "PROVIDER_CREDENTIAL_MISSING") return undefined;
    const { answerLack } = await import("./creation/provider-settings.ts");
    return answerLack(problem, caller);
  });
}

/** The verb with its arguments, or the exit status when a page of help was all that was asked for. */
async function findVerb(argv: readonly string[], caller: Caller): Promise<BoundVerb | number> {
  const [name, ...rest] = argv;
  if (name === undefined) {
    await showOverview(caller.errors);
    return 125;
  }
  if (!["help", "--help", "-h"].includes(name)) return loadVerb(name, rest, caller);
  const [wanted] = rest;
  if (wanted !== undefined) return loadVerb(wanted, ["--help"], caller);
  await showOverview(caller.output);
  return 0;
}

async function showOverview(stream: NodeJS.WritableStream): Promise<void> {
  const { renderOverview } = await import("./help.ts");
  await write(stream, renderOverview(VERBS));
}

async function loadVerb(
  name: string,
  argv: readonly string[],
  caller: Caller,
): Promise<BoundVerb | number> {
  const entry = Object.hasOwn(VERBS, name) ? VERBS[name] : undefined;
  if (entry === undefined) throw unknownVerb(name);
  const verb = await entry.load();
  const bound = verb.parse(argv);
  if (!bound.wantsHelp) return bound;
  const { renderVerb } = await import("./help.ts");
  await write(caller.output, renderVerb(verb));
  return 0;
}

function unknownVerb(name: string): CattlegridError {
  if (name.startsWith("-"))
    return new CattlegridError("USAGE", `There is no flag ${name} before the verb.`);
  const nearest = findNearest(name, Object.keys(VERBS));
  const guess = nearest === undefined ? "" : ` Did you mean \`cattlegrid ${nearest}\`?`;
  return new CattlegridError("USAGE", `There is no verb ${JSON.stringify(name)}.${guess}`);
}
