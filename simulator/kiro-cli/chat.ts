import { setTimeout as delay } from "node:timers/promises";
import { isKeyValid } from "./account.ts";
import { loadAgent } from "./agents.ts";
import type { AgentConfig } from "./agents.ts";
import { parseArguments } from "./arguments.ts";
import {
  CHAT_GRAMMAR,
  chooseEngine,
  isResuming,
  readModel,
  readPipe,
  readTrust,
} from "./chat-options.ts";
import type { ParsedArguments } from "./arguments.ts";
import { reportTelemetry } from "./context.ts";
import type { Context } from "./context.ts";
import { openConversations } from "./conversation-store.ts";
import type { ConversationStore } from "./conversation-store.ts";
import { Conversation, resumeConversation } from "./conversation.ts";
import { loadCredentials } from "./credentials.ts";
import type { Credentials } from "./credentials.ts";
import { hangForever } from "./device-flow.ts";
import { CommandFailure, QuietExit } from "./failure.ts";
import { chatInteractively } from "./interactive.ts";
import { JsonView, writeJson } from "./json-view.ts";
import { loginWithBuilderId, tryBrowser } from "./login.ts";
import { McpServers } from "./mcp.ts";
import type { Engine } from "./profile.ts";
import { deleteSession, listSessions } from "./sessions.ts";
import { runSlashCommand } from "./slash.ts";
import { runTurn } from "./turn.ts";
import type { Turn } from "./turn.ts";
import { startV3 } from "./v3-runtime.ts";
import { TextView, textStyle } from "./view.ts";

const TRUST_BANNER = `All tools are now trusted (!). Kiro will execute tools without asking for confirmation.
Agents can sometimes do unexpected things so understand the risks.

Learn more at https://kiro.dev/docs/cli/chat/security/#using-tools-trust-all-safely
`;
const SUMMARY_PROMPT = "In a few words, summarize our conversation so far.";

export async function chat(context: Context, words: readonly string[]): Promise<void> {
  const options = parseArguments(words, CHAT_GRAMMAR);
  if (options.has("help")) {
    process.stdout.write(`Kiro CLI simulator\n\nUsage: ${CHAT_GRAMMAR.usage}\n`);
    return;
  }
  if (options.has("list-models")) {
    process.stdout.write("Available models (* = default):\n* auto   1.00x credits   Simulated\n");
    return;
  }
  const doomed = options.value("delete-session");
  const engine = chooseEngine(context, options);
  if (options.has("list-sessions")) return listSessions(context, options, engine);
  if (doomed !== undefined) return deleteSession(context, doomed, engine);
  const isHeadless = options.has("no-interactive") || options.has("output-format");
  const input = options.positionals[0] ?? (await readPipe());
  if (isHeadless && input === undefined && !isResuming(options)) throw missingInput();
  await startChat(context, { options, input, isHeadless: isHeadless || !process.stdin.isTTY });
}

interface Request {
  options: ParsedArguments;
  input: string | undefined;
  isHeadless: boolean;
}

async function startChat(context: Context, { options, input, isHeadless }: Request): Promise<void> {
  await delay(context.profile.startMs);
  const engine = chooseEngine(context, options);
  if (options.value("output-format") === "stream-json" && engine === "v1") await refuseJson();
  const credentials = await requireCredentials(context);
  if (credentials.kind === "key" && !(await isKeyValid(context, credentials))) {
    process.stderr.write("Authentication failed. The API key was not accepted.\n");
    return;
  }
  if (engine === "v3") startV3(context);
  const agent = chooseAgent(context, options, engine);
  using mcp = await McpServers.start(agent.mcpServers, {
    isRequired: options.has("require-mcp-startup"),
    directory: context.directory,
  });
  const store = openConversations(context, engine, process.cwd());
  const resumed = resume(store, options);
  const conversation = resumed ?? new Conversation(process.cwd());
  const [trust, model] = [readTrust(options), readModel(options, engine)];
  const session = { context, conversation, store, credentials, trust, engine, agent, mcp, model };
  const prompt = input ?? (resumed === undefined ? undefined : SUMMARY_PROMPT);
  if (!isHeadless) return await chatInteractively({ ...session, prompt });
  if (prompt === undefined) throw missingInput();
  if (prompt.startsWith("/")) await runSlashCommand(context, credentials, prompt);
  else await runHeadless({ ...session, options }, prompt);
  await reportTelemetry(context, "chat");
}

export function chooseAgent(
  context: Context,
  options: ParsedArguments,
  engine: Engine,
): AgentConfig {
  const chosen = options.value("agent") ?? context.settings.get("chat.defaultAgent");
  return loadAgent(context, typeof chosen === "string" ? chosen : "kiro_default", engine);
}

function missingInput(): CommandFailure {
  return new CommandFailure("Input must be supplied when running in non-interactive mode");
}

function resume(store: ConversationStore, options: ParsedArguments): Conversation | undefined {
  if (!isResuming(options)) return undefined;
  return resumeConversation(store, process.cwd(), options.value("resume-id"));
}

type Session = Omit<Turn, "view" | "approve" | "signal"> & {
  engine: Engine;
  options: ParsedArguments;
};

/** Failures of the service end with 0 all the same: only stderr and the missing credits line tell. */
async function runHeadless(session: Session, prompt: string): Promise<void> {
  if (session.trust === "all" && session.engine === "v1") process.stderr.write(TRUST_BANNER);
  const abort = new AbortController();
  const onInterrupt = (): void => abort.abort();
  process.once("SIGINT", onInterrupt);
  try {
    if (session.options.value("output-format") === "stream-json") {
      const view = new JsonView(session.conversation.id, session.engine);
      await view.start();
      const outcome = await runTurn({ ...session, view, signal: abort.signal }, prompt);
      const isDone = outcome === "finished";
      await view.finish(isDone ? "success" : "error", isDone ? "end_turn" : outcome);
      return;
    }
    const view = new TextView(textStyle(session.context, session.engine));
    await runTurn({ ...session, view, signal: abort.signal }, prompt);
  } finally {
    process.off("SIGINT", onInterrupt);
  }
}

async function refuseJson(): Promise<never> {
  const message =
    "--output-format stream-json is not supported on the v1 engine. Pass --agent-engine v2 (or v3).";
  await writeJson({ type: "runError", data: { sessionId: null, stage: "engine", message } });
  throw new QuietExit(1);
}

/** Three behaviours without a sign-in are on record; the profile says which one this is. */
export async function requireCredentials(context: Context): Promise<Credentials> {
  const credentials = await loadCredentials(context);
  if (credentials !== undefined) return credentials;
  switch (context.profile.noCredentials) {
    case "browser":
      await tryBrowser();
      return hangForever();
    case "refuse":
      throw new CommandFailure("You are not logged in, please log in with kiro-cli login");
    case "hang":
      await loginWithBuilderId(context);
      process.stdout.write("Device authorized\nLogged in successfully\n");
      return requireCredentials(context);
  }
}
