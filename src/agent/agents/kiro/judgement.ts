import type { FinishedTurn, TurnJudgement } from "../../agent.ts";
import { toPlainText } from "./plain-text.ts";
import { generationOf, type KiroEngine } from "./versions.ts";

const REASON_CHARACTERS_MAX = 300;
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

/** What Kiro writes to stderr when a turn came to nothing, mostly with exit status 0. */
const FAILURES: readonly (readonly [pattern: RegExp, reason: string])[] = [
  [/Authentication failed\./, "Kiro refused the API key."],
  [/You are not logged in/, "Kiro CLI is not signed in."],
  [/Failed to open browser for authentication/, "Kiro CLI is not signed in."],
  [/Confirm the following code in the browser/, "Kiro CLI is not signed in: it asked for a login."],
  [/Your login session has expired|^\W*Authentication Error/m, "The sign-in has expired."],
  [/Monthly request limit reached/, "The account's monthly request limit is reached."],
  [/rate limit reached|Request quota exceeded/, "Kiro's rate limit is reached. Wait a moment."],
  [/is having trouble responding right now/, "Kiro's service has trouble responding right now."],
  [/model you've selected is temporarily unavailable/, "The model is temporarily unavailable."],
  [/non-interactive mode \(no user to approve\)/, "Kiro refused a tool that nobody could approve."],
  [/Tool approval required but --no-interactive/, "Kiro refused a tool that nobody could approve."],
];

const EXIT_REASONS: Readonly<Record<number, string>> = {
  1: "Kiro CLI failed",
  2: "Kiro CLI did not accept its arguments",
  3: "An MCP server did not start",
  4: "Kiro CLI did not find the agent it was to use",
};

/**
 * Exit status 0 proves nothing: it also follows a refused key, a rate limit and a refused tool. A turn succeeded when
 * the status is 0, there is an answer, stderr names no failure and has the line about credits, which Kiro writes only
 * after a model has run. Whatever does not fit is unknown.
 */
export function judge({ exitCode, stdout, stderr, version }: FinishedTurn): TurnJudgement {
  const { engine } = generationOf(version);
  const answer = readAnswer(stdout, engine);
  const errors = toPlainText(stderr);
  const failed = (reason: string): TurnJudgement => ({ outcome: "failed", reason, answer });
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

function findFailure(text: string): string | undefined {
  return FAILURES.find(([pattern]) => pattern.test(text))?.[1];
}

function describeExit(exitCode: number, errors: string): string {
  const what = EXIT_REASONS[exitCode] ?? `Kiro CLI ended with exit status ${exitCode}`;
  const said = /^error: (.+)$/m.exec(errors)?.[1];
  return said === undefined ? `${what}.` : `${what}: ${said.slice(0, REASON_CHARACTERS_MAX)}`;
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
  if (engine === "v2") return toPlainText(stdout).trim();
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
