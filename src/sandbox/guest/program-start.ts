import { CattlegridError } from "../../errors/error.ts";
import type { ProcessRequest } from "../process.ts";

/** What `execve` takes as one argument or one variable, its closing zero byte included. */
const ARGUMENT_BYTES_MAX = 128 * 1024;

/** What became of the program. */
export type Announcement = "found" | "missing" | "denied" | "directory";

/** Throws COMMAND_NOT_FOUND, REQUEST_INVALID, COMMAND_ARGUMENT_TOO_LONG for what no kernel would take. */
export function checkRequest({ argv, environment, secrets, cwd }: ProcessRequest): void {
  if (argv[0] === undefined || argv[0] === "") {
    throw new CattlegridError("COMMAND_NOT_FOUND", "The command is empty.");
  }
  const variables = Object.entries({ ...environment, ...secrets });
  const texts = [...argv, cwd ?? "", ...variables.map(([name, value]) => `${name}=${value}`)];
  if (texts.some((text) => text.includes("\0"))) {
    const message = "An argument or a variable of the command holds a zero byte.";
    throw new CattlegridError("REQUEST_INVALID", message, { hint: "Remove the zero byte." });
  }
  const long = texts.find((text) => Buffer.byteLength(text) >= ARGUMENT_BYTES_MAX);
  if (long === undefined) return;
  const message = `One argument or variable of ${argv[0]} is ${Buffer.byteLength(long)} bytes long.`;
  throw new CattlegridError("COMMAND_ARGUMENT_TOO_LONG", message);
}

/** Why a program did not come to run; undefined for one that did. */
export function explainAnnouncement(
  word: Announcement,
  { program, cwd }: { program: string; cwd: string },
): CattlegridError | undefined {
  switch (word) {
    case "found":
      return undefined;
    case "directory":
      return new CattlegridError(
        "DIRECTORY_MISSING",
        `The directory ${cwd} cannot be entered inside the sandbox.`,
      );
    case "denied":
      return new CattlegridError(
        "COMMAND_NOT_EXECUTABLE",
        `The program ${program} cannot be executed inside the sandbox.`,
      );
    case "missing":
      return new CattlegridError(
        "COMMAND_NOT_FOUND",
        `The program ${program} was not found inside the sandbox.`,
      );
  }
}
