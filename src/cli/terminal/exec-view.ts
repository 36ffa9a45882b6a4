import { assert } from "../../errors/error.ts";
import type { TerminalEnding } from "../../protocol/process.ts";
import type { LinkTarget, PipeContext } from "./pipe.ts";
import type { TerminalLink } from "./terminal-link.ts";
import { viewTerminal } from "./terminal-view.ts";

/** Shows a command's terminal. Nobody could join it again, so there are no keys to leave it, and a signal ends it. */
export async function viewExec(
  target: LinkTarget,
  { caller, signals }: PipeContext,
): Promise<TerminalEnding> {
  let opened: TerminalLink | undefined;
  using _route = signals.handle((signal) => {
    opened?.control({ type: "signal", signal });
    return true;
  });
  const end = await viewTerminal(target, { caller, onOpen: (link) => (opened = link) });
  assert(end.kind === "ended", "a command's terminal was left");
  return end.ending;
}
