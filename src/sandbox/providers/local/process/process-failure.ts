import { CattlegridError } from "../../../../errors/error.ts";

export interface FailedStart {
  program: string;
  cwd: string;
  /** What the runtime said. */
  text: string;
}

/** Says why a program did not start, from the words of crun 1.8 and later, of runc and of runsc. */
export function explainFailedStart({ program, cwd, text }: FailedStart): CattlegridError {
  const details = { program };
  if (/\bchdir\b|\bchdir to cwd\b|mkdir .* cwd|initial working directory/i.test(text)) {
    const problem = /permission denied/i.test(text) ? "cannot be entered" : "does not exist";
    return new CattlegridError("DIRECTORY_MISSING", `${cwd} ${problem} inside the sandbox.`, {
      details: { cwd },
    });
  }
  if (/executable file .*not found|exec.*no such file or directory/i.test(text)) {
    const message = `The program ${program} was not found inside the sandbox.`;
    return new CattlegridError("COMMAND_NOT_FOUND", message, { details });
  }
  if (/argument list too long/i.test(text)) {
    const message = `The arguments and variables of ${program} are too long together.`;
    return new CattlegridError("COMMAND_ARGUMENT_TOO_LONG", message, { details });
  }
  if (isRefusedExecution(text)) {
    const message = `The program ${program} cannot be executed inside the sandbox.`;
    return new CattlegridError("COMMAND_NOT_EXECUTABLE", message, { details });
  }
  if (/not running|does not exist|process not found|\bstatus`.*no such file|nsenter:/i.test(text)) {
    const message = "The sandbox does not run any more.";
    return new CattlegridError("SANDBOX_NOT_RUNNING", message, { details: { text } });
  }
  const message = `The container runtime could not start ${program}: ${text || "it said nothing"}`;
  return new CattlegridError("SANDBOX_START_FAILED", message, { details: { program, text } });
}

/**
 * Whether the start came too early: the runtime reports a container as started a moment before its first
 * process is one whose namespaces others may enter.
 */
export function isTooEarly(error: unknown): boolean {
  if (!CattlegridError.is(error, "SANDBOX_START_FAILED")) return false;
  return /\bsetns\(.*Operation not permitted/.test(String(error.details["text"]));
}

function isRefusedExecution(text: string): boolean {
  return (
    /open executable|exec format error|text file busy|is a directory/i.test(text) ||
    /exists but it is not executable|not a regular file/i.test(text) ||
    /(exec|open|failed to load)\b.*(permission denied|operation not permitted)/i.test(text)
  );
}
