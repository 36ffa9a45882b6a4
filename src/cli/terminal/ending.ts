import { CattlegridError } from "../../errors/error.ts";
import type { TerminalEnding } from "../../protocol/process.ts";

/** The exit status that a terminal's ending gives this program. Throws for what is not the command's own end. */
export function exitCodeOfEnding(ending: TerminalEnding): number {
  switch (ending.kind) {
    case "exited":
    case "signalled":
      return ending.code;
    case "timed-out":
      throw new CattlegridError("TIMED_OUT", "The command passed its deadline and was ended.");
    case "stopped":
      throw new CattlegridError("SANDBOX_NOT_RUNNING", "The sandbox was stopped meanwhile.");
    case "lost":
      throw new CattlegridError("TERMINAL_LOST", `The program was lost: ${ending.reason}.`);
  }
}
