import { isKeyValid } from "./account.ts";
import { checkAgent, checkMcpServers } from "./agents.ts";
import { parseArguments } from "./arguments.ts";
import { CHAT_GRAMMAR, chooseEngine, isResuming, readPipe, readTrust } from "./chat-options.ts";
import type { ParsedArguments } from "./arguments.ts";
import { reportTelemetry } from "./context.ts";
import type { Context } from "./context.ts";
import { Conversation, resumeConversation } from "./conversation.ts";
import { loadCredentials } from "./credentials.ts";
import type { Credentials } from "./credentials.ts";
import { hangForever } from "./device-flow.ts";
import { CommandFailure, QuietExit } from "./failure.ts";
import { chatInteractively } from "./interactive.ts";
import { JsonView, writeJson } from "./json-view.ts";
import { loginWithBuilderId, tryBrowser } from "./login.ts";
import { deleteSession, listSessions } from "./sessions.ts";
import { runSlashCommand } from "./slash.ts";
import { runTurn } from "./turn.ts";
import type { Turn } from "./turn.ts";
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
  if (options.has("list-sessions")) return listSessions(context, options);
  if (doomed !== undefined) return deleteSession(context, doomed);
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
  const engine = chooseEngine(context, options);
  if (options.value("output-format") === "stream-json" && engine === "v1") await refuseJson();
  const credentials = await requireCredentials(context);
  if (credentials.kind === "key" && !(await isKeyValid(context, credentials))) {
    process.stderr.write("Authentication failed. The API key was not accepted.\n");
    return;
  }
  checkAgent(context, options.value("agent"), engine);
  checkMcpServers(context, options.has("require-mcp-startup"));
  const resumed = resume(context, options);
  const conversation = resumed ?? new Conversation(process.cwd());
  const session = { context, conversation, credentials, trust: readTrust(options), engine };
  const prompt = input ?? (resumed === undefined ? undefined : SUMMARY_PROMPT);
  if (!isHeadless) return chatInteractively({ ...session, prompt });
  if (prompt === undefined) throw missingInput();
  if (prompt.startsWith("/")) await runSlashCommand(context, credentials, prompt);
  else await runHeadless({ ...session, options }, prompt);
  await reportTelemetry(context, "chat");
}

function missingInput(): CommandFailure {
  return new CommandFailure("Input must be supplied when running in non-interactive mode");
}

function resume(context: Context, options: ParsedArguments): Conversation | undefined {
  if (!isResuming(options)) return undefined;
  return resumeConversation(context.database(), process.cwd(), options.value("resume-id"));
}

type Session = Pick<Turn, "context" | "conversation" | "credentials" | "trust"> & {
  engine: "v1" | "v2";
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
      const view = new JsonView(session.conversation.id);
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
async function requireCredentials(context: Context): Promise<Credentials> {
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
