import type { FinishedTurn, TurnJudgement } from "../../agent.ts";
import {
  CONVERSATION_MISSING,
  describeExit,
  findFailure,
  isConversationMissing,
} from "./complaints.ts";
import { toPlainText } from "../../plain-text.ts";
import { engineOf, type KiroEngine } from "./versions.ts";

/** Stands for V1's coloured `> `; a private-use character that is removed from the text first. */
const ANSWER_MARK = "\uE000";
const ESCAPE = "\u001B";
const COLOURED_MARK = new RegExp(
  String.raw`${ESCAPE}\[(?:38;5;\d{1,3})?m> ${ESCAPE}\[(?:0|39)?m`,
  "g",
);
const PLAIN_MARK = /^> /gm;
const TOOL_START = /\(using tool: [^()\n]+\)\s*$|^\s*🛠️?\s+Using tool: /;
const TOOL_END = /^ (?:- (?:Completed in|Summary:)|● )/;
/** Written to stderr after a model has run, and not otherwise. */
const CREDITS_LINE = /^[ \t]*▸ Credits: [\d.,]+ • Time: \S/m;

/**
 * Exit status 0 proves nothing: it also follows a refused key, a rate limit and a refused tool. A turn succeeded when
 * the status is 0, there is an answer, stderr names no failure and has the line about credits, which Kiro writes only
 * after a model has run. Whatever does not fit is unknown.
 */
export function judge({ exitCode, stdout, stderr, ...setup }: FinishedTurn): TurnJudgement {
  const { engine } = engineOf(setup);
  const answer = readAnswer(stdout, engine);
  const errors = toPlainText(stderr);
  const failed = (reason: string): TurnJudgement => ({ outcome: "failed", reason, answer });
  if (answer === "" && isConversationMissing(errors)) {
    return { outcome: "failed", reason: CONVERSATION_MISSING, answer, isConversationLost: true };
  }
  // Text of an answer may speak of failures; where there is no answer, Kiro itself is speaking.
  const complaint = findFailure(answer === "" ? `${errors}\n${toPlainText(stdout)}` : errors);
  if (complaint !== undefined) return failed(complaint);
  if (exitCode === null) return failed("Kiro CLI was ended by a signal.");
  if (exitCode !== 0) return failed(describeExit(exitCode, errors));
  const hasCredits = CREDITS_LINE.test(errors);
  if (answer !== "" && hasCredits) return { outcome: "succeeded", answer };
  if (toPlainText(stdout).trim() === "" && !hasCredits) {
    return failed("Kiro CLI ended without doing anything.");
  }
  return { outcome: "unknown", reason: describeDoubt(answer, hasCredits), answer };
}

function describeDoubt(answer: string, hasCredits: boolean): string {
  if (answer !== "") {
    return "Kiro CLI ended normally, but without the line about credits that shows that a model ran.";
  }
  return hasCredits
    ? "A model ran, but Kiro CLI printed no answer."
    : "Kiro CLI printed something that is not an answer.";
}

/** The last thing the agent said, without the tools it ran before. */
function readAnswer(stdout: Uint8Array, engine: KiroEngine): string {
  if (engine !== "v1") return toPlainText(stdout).trim();
  const raw = Buffer.from(stdout).toString("utf8").replaceAll(ANSWER_MARK, "");
  const marked = toPlainText(raw.replace(COLOURED_MARK, ANSWER_MARK));
  const text = marked.includes(ANSWER_MARK) ? marked : marked.replace(PLAIN_MARK, ANSWER_MARK);
  const parts = text.split(ANSWER_MARK).slice(1);
  return parts.map(removeTools).findLast((part) => part !== "") ?? "";
}

function removeTools(part: string): string {
  const kept: string[] = [];
  let isTool = false;
  for (const line of part.split("\n")) {
    if (TOOL_START.test(line)) isTool = true;
    else if (isTool && TOOL_END.test(line)) isTool = false;
    else if (!isTool) kept.push(line);
  }
  return kept.join("\n").trim();
}
