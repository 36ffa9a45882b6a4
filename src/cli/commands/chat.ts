import { fetchAfterSession } from "../fetched-work.ts";
import { tellQuarantined } from "../quarantined.ts";
import { randomBytes } from "node:crypto";
import { basename } from "node:path";
import { asCattlegridError, CattlegridError } from "../../errors/error.ts";
import type { Sandbox, SandboxCreate } from "../../protocol/sandbox.ts";
import type { Session, SessionCreate } from "../../protocol/session.ts";
import { parseChoice, parseDuration } from "../creation/amount.ts";
import type { Api } from "../api.ts";
import type { Flags, FlagValues } from "../arguments.ts";
import { tell, terminalEnvironment, terminalSize, wantsTerminal, write } from "../caller.ts";
import { offerChanges } from "../changes/last-look.ts";
import { ChatLoop } from "../chat/chat-loop.ts";
import {
  CREATION_FLAGS,
  INPUT_FLAG,
  INSTALL_TIMEOUT_FLAG,
  DIRECTORY_FLAGS,
  LOGIN_TIMEOUT_FLAG,
  RECORD_FLAG,
} from "../creation/creation-flags.ts";
import type { GivenEnvironment } from "../creation/environment.ts";
import { describeLogin } from "../login-request.ts";
import { exitCodeOf } from "../exit-code.ts";
import { hasten, Lease } from "../lease.ts";
import { ensureRunning, openSandbox, type SandboxTarget } from "../creation/opening.ts";
import {
  createGivenPrompts,
  createPipedPrompts,
  type PromptSource,
  TypedPrompts,
} from "../chat/prompts.ts";
import { recordInto, requireFile } from "../terminal/recording.ts";
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
  prompt: { kind: "list", short: "p", value: "TEXT", help: "send this and end" },
  output: {
    kind: "text",
    value: "text|json",
    suggest: [["text", "json"]],
    help: "json: one event per line; default: text",
  },
  keep: { kind: "switch", help: "keep the new sandbox instead of removing it at the end" },
  new: { kind: "switch", help: "begin a new conversation although --name has one to go on with" },
  engine: { kind: "text", value: "NAME", help: "which of its engines the agent runs" },
  model: { kind: "text", value: "ID", help: "which model it asks" },
  agent: { kind: "text", value: "NAME", help: "which of its own named configurations it uses" },
  slash: { kind: "switch", help: "send prompts that the agent takes for its own commands" },
  "turn-timeout": { kind: "text", value: "TIME", help: "deadline of each turn; default: 60m" },
  "dry-run": {
    kind: "switch",
    help: "print what a template would make of the sandbox, and make nothing",
  },
  ...RECORD_FLAG,
  ...INPUT_FLAG,
} as const satisfies Flags;

type ChatFlags = FlagValues<typeof FLAGS>;

interface Chat {
  flags: ChatFlags;
  settings: Settings;
  output: "text" | "json";
}

export const CHAT = defineVerb({
  verb: "chat",
  usage: "[FLAGS] [AGENT] [WORKSPACE]",
  description:
    "Talks to an agent prompt by prompt: each one runs without a terminal, and the conversation goes on. Standard\n" +
    "output carries what the agent writes and nothing else. In a script give --prompt, or one prompt per line on\n" +
    "standard input; it stops at the first turn that does not succeed. Without --name or --keep the sandbox is new\n" +
    "and is removed at the end; with --name a later chat goes on with the conversation. Ctrl+C cancels a turn; a second one, or Ctrl+D, ends the chat.",
  example: "cattlegrid chat AGENT --prompt 'What does this project do?'",
  operands: { min: 0, max: 2, names: "AGENT and WORKSPACE", suggest: ["agent", "directory"] },
  trailing: "none",
  flags: FLAGS,
  async run({ flags, operands }, context) {
    const { caller } = context;
    const output = parseChoice(flags.output ?? "text", "--output", ["text", "json"]);
    requireFile("chat", flags.record, "a chat has no terminal that goes on");
    if (flags["dry-run"]) return printPlan({ flags, operands, output }, context);
    const script = openScript(flags, context);
    await script?.prepare();
    const settings = await readSettings(caller);
    const title = `chat ${operands[0] ?? ""}`.trim();
    const recording = { flag: flags.record, caller, title, hasTerminal: false };
    return recordInto(recording, (seen) =>
      openChat({ flags, settings, output }, { operands, script }, { ...context, caller: seen }),
    );
  },
});

async function printPlan(
  { flags, operands, output }: Pick<Chat, "flags" | "output"> & Pick<ChatInput, "operands">,
  context: VerbContext,
): Promise<number> {
  const settings = await readSettings(context.caller);
  const { printCommand } = await import("../dry-run.ts");
  const json = output === "json";
  const wish = { flags, operands, json, settings, trailing: [], rule: "auto" as const };
  return printCommand({ ...wish, verb: "chat" }, context);
}

/** The prompts of a script; undefined when a person types them. */
function openScript(flags: ChatFlags, { caller }: VerbContext): PromptSource | undefined {
  if (flags.prompt.length > 0) return createGivenPrompts(flags.prompt);
  const isPerson = caller.input.isTTY && caller.errors.isTTY && flags.input !== false;
  return isPerson ? undefined : createPipedPrompts(caller.input);
}

interface ChatInput {
  operands: readonly string[];
  script: PromptSource | undefined;
}

async function openChat(chat: Chat, input: ChatInput, context: VerbContext): Promise<number> {
  const { flags, settings } = chat;
  const { caller } = context;
  const isEphemeral = flags.name === undefined && flags.keep !== true;
  const wish = {
    ...chat,
    verb: "chat",
    operands: input.operands,
    asks: flags.input !== false && input.script === undefined,
    offers: ({ takesPrompts }: { takesPrompts: boolean }) => takesPrompts,
    extra: (target: SandboxTarget) => describeLife(flags, target),
  };
  const opened = await openSandbox(wish, context);
  await using lease = isEphemeral ? await Lease.take(context.api, opened.sandbox.id) : undefined;
  const start = { settings, installTimeout: flags["install-timeout"] };
  const sandbox = await ensureRunning(opened.sandbox, start, context);
  const offer = async (): Promise<void> =>
    isEphemeral ? offerChanges(context, sandbox, { asks: wish.asks }) : undefined;
  let exitCode: number;
  try {
    exitCode = await talk(chat, { ...opened, sandbox, script: input.script }, context);
  } catch (error) {
    // What was made before the failure goes as well; that it cannot be listed is not what this program has to say.
    if (!context.api.signal.aborted) await hasten(offer());
    else if (isEphemeral && sandbox.workspace?.files === "copied") {
      tell(caller, `cattlegrid: what was changed in ${sandbox.name}, if anything, is saved:`);
      tell(caller, `  \`cattlegrid diff ${sandbox.name}\` shows it once the sandbox is gone.`);
    }
    throw error;
  }
  try {
    await offer();
  } catch (error) {
    if (!CattlegridError.is(error, "INTERRUPTED") || lease === undefined) throw error;
    await lease.keep();
    const { name } = sandbox;
    tell(caller, `cattlegrid: nothing is lost: ${name} stays. See \`cattlegrid diff ${name}\`.`);
    throw error;
  }
  return exitCode;
}

/** A new sandbox that is kept needs a name that no other has. */
function describeLife({ name, keep }: ChatFlags, target: SandboxTarget): Partial<SandboxCreate> {
  if (name !== undefined) return {};
  if (keep !== true) return { ephemeral: true };
  const words = [
    target.agent ?? "chat",
    basename(target.workspace ?? ""),
    randomBytes(3).toString("hex"),
  ];
  const clean = words.map((word) => word.replaceAll(/[^A-Za-z0-9.-]+/g, "-").slice(0, 24));
  return { name: clean.filter((word) => word !== "").join("-") };
}

interface OpenedChat {
  sandbox: Sandbox;
  given: GivenEnvironment;
  script: PromptSource | undefined;
}

async function talk(
  chat: Chat,
  { sandbox, given, script }: OpenedChat,
  context: VerbContext,
): Promise<number> {
  const { api, caller } = context;
  const hasTerminal = chat.flags.input !== false && wantsTerminal(caller, undefined);
  const request = describeSession(chat, given, { hasTerminal, context });
  const session = await postBound<Session>(
    `/v1/sandboxes/${sandbox.id}/sessions`,
    request,
    context,
  );
  const isJson = chat.output === "json";
  const report = async (event: object): Promise<void> => {
    if (isJson) await write(caller.output, `${JSON.stringify(event)}\n`);
  };
  await report({ type: "session-start", session });
  using view = new SessionView({ ...context, session, hasTerminal, stopsWhenReady: true });
  try {
    const outcome = await view.follow();
    const exitCode =
      outcome.kind === "ended" ? outcome.exitCode : await loop(chat, { session, script }, context);
    await report({ type: "session-end", exitCode });
    return exitCode;
  } catch (error) {
    await report({ type: "session-end", exitCode: exitCodeOf(asCattlegridError(error)) });
    throw error;
  } finally {
    await endSession(api, session.id);
    await fetchAfterSession(context, sandbox);
    await tellQuarantined(context, sandbox, session.createdAt);
  }
}

/** A leased session ends with its connection anyway; this waits until nothing of it runs. */
async function endSession(api: Api, id: string): Promise<void> {
  await hasten(api.delete(`/v1/sessions/${id}`, { signal: AbortSignal.timeout(END_TIMEOUT_MS) }));
}

const END_TIMEOUT_MS = 10_000;

function describeSession(
  { flags, settings }: Chat,
  { environment, secrets }: GivenEnvironment,
  { hasTerminal, context }: { hasTerminal: boolean; context: VerbContext },
): SessionCreate {
  const { caller } = context;
  const { minor } = context.api;
  const options = {
    ...(flags.engine === undefined ? {} : { engine: flags.engine }),
    ...(flags.model === undefined ? {} : { model: flags.model }),
    ...(flags.agent === undefined ? {} : { configuration: flags.agent }),
  };
  return {
    kind: "turns",
    leased: true,
    // A daemon of before begins anew, as it always did.
    ...(flags.name === undefined || flags.new || minor < 1 ? {} : { continues: "latest" }),
    ...(Object.keys(options).length === 0 ? {} : { turnOptions: options }),
    environment: hasTerminal ? { ...terminalEnvironment(caller), ...environment } : environment,
    secrets,
    ...describeBindings(flags.secret),
    ...(hasTerminal ? { terminal: terminalSize(caller) } : {}),
    ...describeLogin("chat", flags, settings),
  };
}

async function loop(
  { flags, settings, output }: Chat,
  { session, script }: { session: Session; script: PromptSource | undefined },
  context: VerbContext,
): Promise<number> {
  const timeout = flags["turn-timeout"] ?? settings.flags["turn-timeout"];
  const chat = new ChatLoop({
    ...context,
    sessionId: session.id,
    output,
    slash: flags.slash === true,
    ...(timeout === undefined ? {} : { turnTimeoutMs: parseDuration(timeout, "--turn-timeout") }),
  });
  return chat.run((onInterrupt) => script ?? new TypedPrompts(context.caller, onInterrupt));
}
