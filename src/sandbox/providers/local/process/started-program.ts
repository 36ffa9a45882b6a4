import type { Writable } from "node:stream";
import { CattlegridError } from "../../../../errors/error.ts";
import type { ProcessRequest } from "../../../process.ts";
import { explainFailedStart } from "./process-failure.ts";
import type { ExecTarget } from "./exec-target.ts";
import type { ProgramOutput } from "./program-output.ts";
import type { RuntimeClient } from "../runtimes/runtime-client.ts";

export interface ProcessStart {
  target: ExecTarget;
  request: ProcessRequest;
  /** Stops the start only: a process that runs is ended by `kill`. */
  signal: AbortSignal;
}

/** What both ways to start a program hand over. */
export interface StartedProgram {
  client: RuntimeClient;
  output: ProgramOutput;
  errors: ProgramOutput | undefined;
  input: Writable;
  resize(size: { columns: number; rows: number }): void;
  /** The group that the keys of a terminal reach, in this process's numbering. */
  foregroundGroup(): number | undefined;
  /** Called once the program has ended: nothing of ours may keep its output open. */
  letGo(): void;
}

/** Turns a start that failed into what the caller can act on; `text` is what the runtime said. */
export function explainStart(start: ProcessStart, error: unknown, text: string): unknown {
  if (!CattlegridError.is(error, "SANDBOX_START_FAILED")) return error;
  return explainProblem(start, text);
}

export function explainProblem({ request, target }: ProcessStart, text: string): CattlegridError {
  const [program = ""] = request.argv;
  return explainFailedStart({ program, cwd: request.cwd ?? target.cwd, text });
}
