import { CattlegridError } from "../../../errors/error.ts";
import { changeArguments } from "../../../protocol/argument-rule.ts";
import type { AgentTurns, CommandResult, TurnInput, TurnSetup } from "../../agent.ts";
import { judge as judgeText } from "./judgement.ts";
import { toPlainText } from "../../plain-text.ts";
import { judgeStream, readStreamConversation } from "./stream-judgement.ts";
import { createStreamReader } from "./stream.ts";
import { engineOf, generationOf, versionNotice, type KiroEngine } from "./versions.ts";

const HEADLESS_CHAT = ["kiro-cli", "chat", "--no-interactive", "--trust-all-tools"];
/** Linux takes 128 KiB in one argument; a longer prompt goes through standard input. */
const PROMPT_ARGUMENT_BYTES_MAX = 100 * 1024;
/** Kiro reads its prompt trimmed, and takes these as: a command, a saved prompt, a shell command. */
const COMMAND_PREFIX = /^[/@!]/;

export const turns: AgentTurns = {
  checkPrompt(prompt) {
    if (!COMMAND_PREFIX.test(prompt.trim())) return;
    const message =
      "Kiro CLI takes a prompt that begins with “/”, “@” or “!” for a command of its own.";
    throw new CattlegridError("PROMPT_IS_COMMAND", message);
  },
  checkOptions(setup) {
    engineOf(setup);
  },
  createReader(version, options = {}) {
    return isStreamed({ version, options }) ? createStreamReader() : undefined;
  },
  canResume(conversationId, setup) {
    const isById = generationOf(setup.version).resumesById;
    return isById && readConversationId(conversationId).engine === engineOf(setup).engine;
  },
  command(turn) {
    const argv = [
      ...changeArguments(HEADLESS_CHAT, turn.arguments),
      ...engineOf(turn).arguments,
      ...describeOptions(turn),
      ...describeResumption(turn),
    ];
    const bytes = Buffer.from(turn.prompt, "utf8");
    if (bytes.length > PROMPT_ARGUMENT_BYTES_MAX) return { argv, inputBytes: bytes };
    // SECURITY: after `--` a prompt that begins with a hyphen is text and no option.
    return { argv: [...argv, "--", turn.prompt] };
  },
  judge(turn) {
    return isStreamed(turn) ? judgeStream(turn) : judgeText(turn);
  },
  conversation: {
    command: ["kiro-cli", "chat", "--list-sessions"],
    isTold: isStreamed,
    readId: (result) => readStreamConversation(result.stdout) ?? readConversationIds(result)[0],
    lists: (result, id) => readConversationIds(result).includes(id),
  },
  versionNotice,
};

function isStreamed(setup: TurnSetup): boolean {
  return engineOf(setup).output === "stream-json";
}

/** SECURITY: `=` makes a value that begins with a hyphen a value. */
function describeOptions({ options = {} }: TurnInput): string[] {
  const { model, configuration } = options;
  return [
    ...(model === undefined ? [] : [`--model=${model}`]),
    ...(configuration === undefined ? [] : [`--agent=${configuration}`]),
  ];
}

function describeResumption({ resume, conversationId, version }: TurnInput): string[] {
  if (!resume) return [];
  if (conversationId === undefined || !generationOf(version).resumesById) return ["--resume"];
  return ["--resume-id", readConversationId(conversationId).id];
}

/** Newest first; V1 lists on stderr, some builds on stdout. */
function readConversationIds({ exitCode, stdout, stderr }: CommandResult): readonly string[] {
  if (exitCode !== 0) return [];
  const listed = toPlainText(`${stdout}\n${stderr}`);
  const found = listed.matchAll(/^\s*Chat SessionId:\s*([0-9A-Za-z][0-9A-Za-z_-]*)\s*$/gm);
  return [...found].map(([, id]) => id ?? "");
}

/** The engines keep their conversations apart; only V1's are known by a bare id. */
function readConversationId(text: string): { engine: KiroEngine; id: string } {
  const engine = (["v2", "v3"] as const).find((name) => text.startsWith(`${name}:`));
  return engine === undefined
    ? { engine: "v1", id: text }
    : { engine, id: text.slice(engine.length + 1) };
}
