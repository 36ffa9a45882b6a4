import { CattlegridError } from "../errors/error.ts";
import { changeArguments } from "../protocol/argument-rule.ts";
import type {
  AgentEvent,
  AgentTurns,
  FinishedTurn,
  TurnInput,
  TurnJudgement,
  TurnReader,
} from "./agent.ts";
import { createJsonLines, readJsonLines, type JsonRecord } from "./json-lines.ts";

/** How a record ends a turn. */
export type TurnEnd = { outcome: "succeeded" } | { outcome: "failed"; reason: string };

/** What is particular to one agent whose headless output is JSON Lines. */
export interface JsonTurnsFormat {
  /** The agent's name in messages. */
  title: string;
  /** Without the prompt, which goes in through standard input and so is never an option. */
  command: readonly string[];
  /** Added when a turn goes on with a conversation. */
  resume(conversationId: string): readonly string[];
  /** What stands at the very end. Default: nothing. */
  lastWords?: readonly string[];
  /** How a prompt begins that the agent takes for a command of its own. Absent: none does. */
  commandPrefix?: RegExp;
  /** What a record says. Told once for each record of a turn, in order. */
  createEventReader(): (record: JsonRecord) => readonly AgentEvent[];
  /** The last one of a turn counts. */
  readEnd(record: JsonRecord): TurnEnd | undefined;
  readConversationId(record: JsonRecord): string | undefined;
  /** Of an agent that can be made to ask: whether a record says that a tool was refused for want of somebody to ask. */
  isToolRefused?(record: JsonRecord): boolean;
}

const REASON_CHARACTERS_MAX = 300;

/** Turns of an agent that writes one JSON record a line and says itself how a turn ended. */
export function createJsonTurns(format: JsonTurnsFormat): AgentTurns {
  const { title, commandPrefix } = format;
  return {
    checkPrompt(prompt) {
      if (commandPrefix?.test(prompt.trim()) !== true) return;
      const message = `${title} takes a prompt that begins like this for a command of its own.`;
      throw new CattlegridError("PROMPT_IS_COMMAND", message);
    },
    command: (turn) => ({
      argv: composeCommand(format, turn),
      inputBytes: Buffer.from(turn.prompt, "utf8"),
    }),
    createReader: () => createReader(format),
    judge: (turn) => judge(format, turn),
    conversation: {
      readId: ({ stdout }) =>
        readJsonLines(Buffer.from(stdout))
          .map((record) => format.readConversationId(record))
          .findLast((id) => id !== undefined),
    },
    versionNotice: () => undefined,
  };
}

function composeCommand(format: JsonTurnsFormat, turn: TurnInput): readonly string[] {
  const { resume, conversationId } = turn;
  const resumed = resume && conversationId !== undefined ? format.resume(conversationId) : [];
  const command = changeArguments(format.command, turn.arguments);
  return [...command, ...resumed, ...(format.lastWords ?? [])];
}

function createReader(format: JsonTurnsFormat): TurnReader {
  const lines = createJsonLines();
  const read = format.createEventReader();
  return { push: (bytes) => lines.push(bytes).flatMap((record) => read(record)) };
}

/** Success is what the agent's last word says and its exit status does not contradict. */
function judge(format: JsonTurnsFormat, turn: FinishedTurn): TurnJudgement {
  const { exitCode, stdout, stderr } = turn;
  const { title } = format;
  const records = readJsonLines(stdout);
  const answer = readAnswer(format, records);
  const failed = (reason: string): TurnJudgement => ({
    outcome: "failed",
    reason: reason.slice(0, REASON_CHARACTERS_MAX),
    answer,
  });
  const isAsking = (turn.arguments?.without.length ?? 0) > 0;
  if (isAsking && records.some((record) => format.isToolRefused?.(record))) {
    return failed(`${title} refused a tool that nobody could approve.`);
  }
  const end = records
    .map((record) => format.readEnd(record))
    .findLast((found) => found !== undefined);
  if (end?.outcome === "failed") return failed(end.reason);
  if (exitCode === null) return failed(`${title} was ended by a signal.`);
  if (exitCode !== 0) return failed(describeExit(title, exitCode, stderr));
  if (end !== undefined) return { outcome: "succeeded", answer };
  const reason = `${title} ended normally, but without the record that ends a turn.`;
  return { outcome: "unknown", reason, answer };
}

/** What was said last, without what was said between the tools before. */
function readAnswer(format: JsonTurnsFormat, records: readonly JsonRecord[]): string {
  const read = format.createEventReader();
  let answer = "";
  for (const event of records.flatMap((record) => read(record))) {
    if (event.type === "message-delta") answer += event.text;
    else if (answer !== "") answer = "";
  }
  return answer.trim();
}

function describeExit(title: string, exitCode: number, stderr: Buffer): string {
  const said = stderr.toString("utf8").trim().split("\n").at(-1)?.trim() ?? "";
  const what = `${title} ended with exit status ${exitCode}`;
  return said === "" ? `${what}.` : `${what}: ${said}`;
}
