import type { FinishedTurn, TurnJudgement } from "../../agent.ts";
import {
  CONVERSATION_MISSING,
  describeExit,
  findFailure,
  isConversationMissing,
} from "./complaints.ts";
import { toPlainText } from "../../plain-text.ts";
import { parseLine, readChunk, textOf, type StreamLine } from "./stream.ts";

interface Reading {
  /** The text since the last tool. */
  text: string;
  error: string | undefined;
  finish: { status: string; stopReason: string; text: string | undefined } | undefined;
}

/**
 * `runFinished` says how a turn ended, `runError` that it never began. Exit status 0 and an answer alone prove nothing:
 * the stream may have been cut.
 */
export function judgeStream({ exitCode, stdout, stderr }: FinishedTurn): TurnJudgement {
  const reading = readStream(stdout.toString("utf8"));
  const { finish, error, text } = reading;
  const answer = toPlainText(finish?.text ?? text).trim();
  const errors = toPlainText(stderr);
  const said = `${errors}\n${error ?? ""}`;
  if (isConversationMissing(said)) {
    return { outcome: "failed", reason: CONVERSATION_MISSING, answer, isConversationLost: true };
  }
  const complaint = findFailure(answer === "" ? said : errors);
  const reason = complaint ?? describeFailure(reading, { exitCode, errors, answer });
  if (reason !== undefined) return { outcome: "failed", reason, answer };
  if (finish !== undefined && answer !== "") return { outcome: "succeeded", answer };
  return {
    outcome: "unknown",
    reason:
      finish === undefined
        ? "Kiro CLI ended normally, but did not say how the turn ended."
        : "A model ran, but Kiro CLI printed no answer.",
    answer,
  };
}

function describeFailure(
  { finish, error }: Reading,
  { exitCode, errors, answer }: { exitCode: number | null; errors: string; answer: string },
): string | undefined {
  if (error !== undefined) return `Kiro CLI could not run the turn: ${error}`;
  if (exitCode === null) return "Kiro CLI was ended by a signal.";
  if (exitCode !== 0) return describeExit(exitCode, errors);
  if (finish === undefined) {
    return answer === "" ? "Kiro CLI ended without doing anything." : undefined;
  }
  if (finish.status === "success") return undefined;
  return `Kiro CLI ended the turn with ${finish.status} (${finish.stopReason}).`;
}

/** `v2:ID`: the engines do not know each other's conversations. Undefined for what is no stream. */
export function readStreamConversation(stdout: string): string | undefined {
  let engine: string | undefined;
  for (const line of stdout.split("\n")) {
    const data = parseLine(line)?.data;
    engine ??= textOf(data?.engine);
    const id = textOf(data?.sessionId);
    if (id !== undefined) return engine === undefined ? undefined : `${engine}:${id}`;
  }
  return undefined;
}

function readStream(stdout: string): Reading {
  const reading: Reading = { text: "", error: undefined, finish: undefined };
  for (const text of stdout.split("\n")) {
    const line = parseLine(text);
    if (line?.data !== undefined) readLine(reading, line);
  }
  return reading;
}

function readLine(reading: Reading, line: StreamLine): void {
  const { update, message, status, stopReason, finalText } = line.data ?? {};
  if (update?.sessionUpdate === "tool_call") reading.text = "";
  reading.text += readChunk(line) ?? "";
  if (line.type === "runError") reading.error = textOf(message) ?? "Kiro CLI did not say why.";
  if (line.type !== "runFinished") return;
  reading.finish = {
    status: textOf(status) ?? "",
    stopReason: textOf(stopReason) ?? "",
    text: textOf(finalText),
  };
}
