import { CattlegridError } from "../../errors/error.ts";
import type { AgentTurns, FinishedTurn, TurnInput, TurnJudgement } from "../agent.ts";
import { createJsonTurns } from "../json-turns.ts";
import { createMessageEventReader, readResult, readSessionId } from "../message-records.ts";
import { toPlainText } from "../plain-text.ts";
import { readMappedRecords } from "./mapped-records.ts";
import type { TurnsDocument } from "./schema.ts";

const PROMPT = "{prompt}";
const CONVERSATION = "{conversation}";
const RESUME = "{resume}";
/** What one argument can hold, with room for the words around it. */
const ARGUMENT_BYTES_MAX = 100 * 1024;

/** The turns of an agent that an adapter file describes. */
export function createFileTurns(title: string, document: TurnsDocument): AgentTurns {
  const { output } = document;
  const told =
    output === "text" ? createTextTurns(title) : createRecordTurns(title, document, output);
  return {
    ...told,
    checkPrompt: (prompt) => checkPrompt(title, document, prompt),
    command: (turn) => composeCommand(document, turn),
  };
}

type Judging = Omit<AgentTurns, "checkPrompt" | "command">;

function createRecordTurns(
  title: string,
  { command }: TurnsDocument,
  output: Exclude<TurnsDocument["output"], "text">,
): Judging {
  const reading =
    output === "messages"
      ? {
          createEventReader: createMessageEventReader,
          readEnd: readResult,
          readConversationId: readSessionId,
        }
      : readMappedRecords(output);
  const turns = createJsonTurns({ title, command, resume: () => [], ...reading });
  if (output === "messages" || output.conversation !== undefined) return turns;
  const { conversation: _none, ...untold } = turns;
  return untold;
}

/** An agent that prints its answer says nothing of success but by its exit status. */
function createTextTurns(title: string): Judging {
  return { judge: (turn) => judgeText(title, turn), versionNotice: () => undefined };
}

function judgeText(title: string, { exitCode, stdout, stderr }: FinishedTurn): TurnJudgement {
  const answer = toPlainText(stdout).trim();
  if (exitCode === 0 && answer !== "") return { outcome: "succeeded", answer };
  if (exitCode === 0) {
    return { outcome: "unknown", reason: `${title} ended normally, but said nothing.`, answer };
  }
  const said = toPlainText(stderr).trim().split("\n").at(-1)?.trim() ?? "";
  const what = exitCode === null ? "was ended by a signal" : `ended with exit status ${exitCode}`;
  return { outcome: "failed", reason: `${title} ${what}${said && `: ${said}`}`, answer };
}

function checkPrompt(title: string, { slash, command }: TurnsDocument, prompt: string): void {
  if (slash !== undefined && prompt.trimStart().startsWith(slash)) {
    const message = `${title} takes a prompt that begins with ${slash} for a command of its own.`;
    throw new CattlegridError("PROMPT_IS_COMMAND", message);
  }
  if (!hasPromptWord(command) || Buffer.byteLength(prompt) <= ARGUMENT_BYTES_MAX) return;
  throw new CattlegridError("PROMPT_INVALID", `${title} takes prompts of at most 100 KiB.`, {
    hint: "Put the text into a file of the workspace and name the file in the prompt.",
  });
}

function hasPromptWord(command: readonly string[]): boolean {
  return command.some((word) => word.includes(PROMPT));
}

function composeCommand({ command, resume: words }: TurnsDocument, turn: TurnInput) {
  const { prompt, resume, conversationId } = turn;
  const wantsId = words.some((word) => word.includes(CONVERSATION));
  const resumed = resume && (!wantsId || conversationId !== undefined) ? words : [];
  // Each hole is filled once: what a prompt holds is never a hole again.
  const fill = (word: string): string =>
    word.includes(PROMPT)
      ? word.split(PROMPT).join(prompt)
      : word.split(CONVERSATION).join(conversationId ?? "");
  const places = command.includes(RESUME) ? command : [...command, RESUME];
  const argv = places.flatMap((word) => (word === RESUME ? resumed : [word])).map(fill);
  if (hasPromptWord(command)) return { argv };
  return { argv, inputBytes: Buffer.from(prompt, "utf8") };
}
