import { isUtf8 } from "node:buffer";
import { readFileSync } from "node:fs";
import { CattlegridError } from "../errors/error.ts";

/**
 * For arguments with a replacement character, which Node puts where one is not UTF-8, and which would then run as if it were what the
 * user wrote. Throws PROMPT_INVALID or USAGE when the system's own copy of the arguments shows that this happened.
 */
export function checkText(argv: readonly string[]): void {
  const bytes = readCommandLine();
  if (bytes === undefined || isUtf8(bytes)) return;
  const code = argv[0] === "chat" ? "PROMPT_INVALID" : "USAGE";
  throw new CattlegridError(code, "An argument is not valid UTF-8 text.", {
    hint: "Pass bytes that are not text through standard input or a file of the workspace.",
  });
}

function readCommandLine(): Uint8Array | undefined {
  try {
    return readFileSync("/proc/self/cmdline");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
