import { fetchAfterSession } from "../fetched-work.ts";
import { tellQuarantined } from "../quarantined.ts";
import { CattlegridError } from "../../errors/error.ts";
import type { Sandbox } from "../../protocol/sandbox.ts";
import type { Session, SessionCreate } from "../../protocol/session.ts";
import { type Flags, type FlagValues, usage } from "../arguments.ts";
import { type Caller, tell, terminalEnvironment, terminalSize, wantsTerminal } from "../caller.ts";
import {
  CREATION_FLAGS,
  DETACH_KEYS_FLAG,
  INPUT_FLAG,
  INSTALL_TIMEOUT_FLAG,
  JSON_FLAG,
  DIRECTORY_FLAGS,
  LOGIN_TIMEOUT_FLAG,
  RECORD_FLAG,
} from "../creation/creation-flags.ts";
import { readDetachKeys } from "../terminal/detach.ts";
import type { GivenEnvironment } from "../creation/environment.ts";
import { introduceSandbox } from "../creation/first-run.ts";
import { describeLogin } from "../login-request.ts";
import { hasten } from "../lease.ts";
import { ensureRunning, type OpenedSandbox, openSandbox } from "../creation/opening.ts";
import { recordInto, requireFile, wantsEngineRecording } from "../terminal/recording.ts";
import { describeBindings } from "../secret/binding-flag.ts";
import { postBound } from "../secret/bound-request.ts";
import { SessionView } from "../chat/session-view.ts";
import { readSettings, type Settings } from "../settings.ts";
import { defineVerb, type VerbContext } from "../verb.ts";

const FLAGS = {
  ...CREATION_FLAGS,
  ...INSTALL_TIMEOUT_FLAG,
  ...LOGIN_TIMEOUT_FLAG,
  ...DIRECTORY_FLAGS,
  ...DETACH_KEYS_FLAG,
  ...RECORD_FLAG,
  learn: {
    kind: "switch",
    help: "in a throw-away sandbox: print the smallest policy that would have allowed what it wanted",
  },
  "learn-to": {
    kind: "text",
    value: "FILE",
    help: "with --learn: write that policy as a file too",
  },
  rm: { kind: "switch", help: "remove the sandbox when the session ends" },
  detach: { kind: "switch", short: "d", help: "print the session's id and leave it running" },
  tty: { kind: "switch", negatable: true, help: "whether the agent gets a terminal" },
  append: { kind: "switch", help: "add what follows -- to the agent's own arguments" },
  replace: { kind: "switch", help: "let what follows -- take the place of its arguments" },
  "dry-run": {
    kind: "switch",
    help: "print the command that would run, as JSON, and what a template makes of its sandbox; make nothing",
  },
  ...JSON_FLAG,
  ...INPUT_FLAG,
} as const satisfies Flags;

type RunFlags = FlagValues<typeof FLAGS>;

interface Run {
  flags: RunFlags;
  trailing: readonly string[];
  settings: Settings;
}

export const RUN = defineVerb({
  verb: "run",
  usage: "[FLAGS] [AGENT] [WORKSPACE] [-- ARGUMENTS]",
  description:
    "Runs an agent in its sandbox, which is made if it is missing and started if it is stopped.\n" +
    "The same agent and folder always find the same sandbox. WORKSPACE is the current directory by default.\n" +
    "ARGUMENTS that begin with `-` join the agent's own; a bare word takes their place.",
  example: "cattlegrid run shell ~/my-project -- -c 'npm test'",
  operands: { min: 0, max: 2, names: "AGENT and WORKSPACE", suggest: ["agent", "directory"] },
  trailing: "after-dashes",
  flags: FLAGS,
  async run({ flags, operands, trailing }, context) {
    if (flags.append && flags.replace) {
      throw usage("run", "--append and --replace exclude each other.");
    }
    checkLearning(flags);
    if (flags.rm) requireFile("run", flags.record, "what the sandbox keeps goes with it");
    if (flags.detach && flags.record) {
      throw usage("run", "--detach records with --record alone: nobody looks on for a file.");
    }
    const settings = await readSettings(context.caller);
    const run = { flags, trailing, settings };
    if (flags["dry-run"]) {
      const { printCommand } = await import("../dry-run.ts");
      const json = flags.json === true;
      const wish = { ...run, verb: "run" as const, operands, json, rule: argumentRule(flags) };
      return printCommand(wish, context);
    }
    return runAgent(run, operands, context);
  },
});

async function runAgent(
  run: Run,
  operands: readonly string[],
  context: VerbContext,
): Promise<number> {
  const { flags, settings } = run;
  // What a person mistyped is told before anything is made.
  const detachKeys = readDetachKeys(flags["detach-keys"] ?? settings.flags["detach-keys"]);
  const hasTerminal = flags.detach !== true && wantsTerminal(context.caller, flags.tty);
  const wish = {
    ...run,
    verb: "run",
    operands,
    asks: flags.input !== false,
    extra: () => ({
      ...(flags.rm ? { removeAfterSession: true } : {}),
      ...(flags.learn ? { ephemeral: true } : {}),
    }),
  };
  const opened = await openSandbox(wish, context);
  introduceSandbox(context.caller, opened.sandbox);
  const work = (): Promise<number> =>
    runOpened(run, opened, { ...context, hasTerminal, detachKeys });
  if (!flags.learn) return work();
  const { learnFrom } = await import("../policy/learned.ts");
  const learning = { file: flags["learn-to"], asks: flags.input !== false };
  return learnFrom(context, { sandbox: opened.sandbox, learning }, work);
}

/** A run that is learnt from has a sandbox of its own, which ends with it. */
function checkLearning(flags: RunFlags): void {
  if (flags["learn-to"] !== undefined && !flags.learn) {
    throw usage("run", "--learn-to needs --learn.");
  }
  if (flags.learn && (flags.detach || flags.rm)) {
    throw usage("run", "--learn stays until the session ends and then removes the sandbox.");
  }
}

interface RunContext extends VerbContext {
  hasTerminal: boolean;
  detachKeys: ReturnType<typeof readDetachKeys>;
}

async function runOpened(
  run: Run,
  opened: OpenedSandbox,
  { hasTerminal, detachKeys, ...context }: RunContext,
): Promise<number> {
  const { flags, settings } = run;
  const start = { settings, installTimeout: flags["install-timeout"], learn: flags.learn === true };
  const sandbox = await ensureRunning(opened.sandbox, start, context);
  const request = describeSession(run, opened.given, { hasTerminal, context });
  const path = `/v1/sandboxes/${sandbox.id}/sessions`;
  const session = await postBound<Session>(path, request, context);
  if (flags.detach) {
    printDetached(context.caller, { sandbox, session, asJson: flags.json === true });
    return 0;
  }
  const { caller } = context;
  const recording = { flag: flags.record, caller, title: sandbox.name, hasTerminal };
  return recordInto(recording, (seen) =>
    follow({ sandbox, session, hasTerminal, detachKeys }, { ...context, caller: seen }),
  );
}

function argumentRule({ append, replace }: RunFlags): NonNullable<SessionCreate["argumentRule"]> {
  if (append) return "append";
  return replace ? "replace" : "auto";
}

function describeSession(
  { flags, trailing, settings }: Run,
  { environment, secrets }: GivenEnvironment,
  { hasTerminal, context: { caller } }: { hasTerminal: boolean; context: VerbContext },
): SessionCreate {
  const wantsOwnTerminal = flags.detach === true && flags.tty !== false;
  return {
    kind: "interactive",
    arguments: [...trailing],
    argumentRule: argumentRule(flags),
    environment: hasTerminal ? { ...terminalEnvironment(caller), ...environment } : environment,
    secrets,
    ...describeBindings(flags.secret),
    ...(wantsEngineRecording(flags.record) ? { record: true } : {}),
    ...(hasTerminal || wantsOwnTerminal ? { terminal: terminalSize(caller) } : {}),
    ...describeLogin("run", flags, settings),
  };
}

interface Detached {
  sandbox: Sandbox;
  session: Session;
  asJson: boolean;
}

function printDetached(caller: Caller, { sandbox, session, asJson }: Detached): void {
  const ids = { sandbox: sandbox.name, session: session.id };
  caller.output.write(`${asJson ? JSON.stringify(ids) : session.id}\n`);
  tell(
    caller,
    `cattlegrid: runs in ${sandbox.name}; join it with: cattlegrid attach ${sandbox.name}`,
  );
}

interface Followed {
  sandbox: Sandbox;
  session: Session;
  hasTerminal: boolean;
  detachKeys: ReturnType<typeof readDetachKeys>;
}

async function follow(
  { sandbox, session, hasTerminal, detachKeys }: Followed,
  context: VerbContext,
): Promise<number> {
  const { api, caller } = context;
  const view = new SessionView({ ...context, session, hasTerminal, detachKeys });
  try {
    const outcome = await view.follow();
    if (outcome.kind === "ended") {
      await fetchAfterSession(context, sandbox);
      await tellQuarantined(context, sandbox, session.createdAt);
      return outcome.exitCode;
    }
    tell(
      caller,
      `\ncattlegrid: left ${sandbox.name}; join it with: cattlegrid attach ${sandbox.name}`,
    );
    return 0;
  } catch (error) {
    // A session whose agent nobody has seen yet is not what somebody who interrupts wants to keep.
    if (CattlegridError.is(error, "INTERRUPTED") && !view.hasJoinedAgent) {
      const signal = AbortSignal.timeout(5000);
      await hasten(api.delete(`/v1/sessions/${session.id}`, { signal }));
    }
    throw error;
  }
}
