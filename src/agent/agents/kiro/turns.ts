import { CattlegridError } from "../../../errors/error.ts";
import type { AgentTurns, CommandResult } from "../../agent.ts";
import { judge } from "./judgement.ts";
import { toPlainText } from "./plain-text.ts";
import { generationOf, versionNotice } from "./versions.ts";

const HEADLESS_CHAT = ["kiro-cli", "chat", "--no-interactive", "--trust-all-tools"];
/** Linux takes 128 KiB in one argument; a longer prompt goes through standard input. */
const PROMPT_ARGUMENT_BYTES_MAX = 100 * 1024;
/** Kiro reads its prompt trimmed, and takes these as: a command, a saved prompt, a shell command. */
const COMMAND_PREFIX = /^[/@!]/;

export const turns: AgentTurns = {
  checkPrompt(prompt) {
    if (!COMMAND_PREFIX.test(prompt.trim())) return;
    const message =
      "Kiro CLI takes a prompt that begins with “/”, “@” or “!” for a command of its own.";
    throw new CattlegridError("PROMPT_IS_COMMAND", message);
  },
  command({ prompt, resume, version }) {
    const argv = [
      ...HEADLESS_CHAT,
      ...generationOf(version).engineArguments,
      ...(resume ? ["--resume"] : []),
    ];
    const bytes = Buffer.from(prompt, "utf8");
    if (bytes.length > PROMPT_ARGUMENT_BYTES_MAX) return { argv, inputBytes: bytes };
    // SECURITY: after `--` a prompt that begins with a hyphen is text and no option.
    return { argv: [...argv, "--", prompt] };
  },
  judge,
  conversation: {
    command: ["kiro-cli", "chat", "--list-sessions"],
    readId: readConversationId,
  },
  versionNotice,
};

/** Newest first; V1 lists on stderr, some builds on stdout. */
function readConversationId({ exitCode, stdout, stderr }: CommandResult): string | undefined {
  if (exitCode !== 0) return undefined;
  const listed = toPlainText(`${stdout}\n${stderr}`);
  return /^\s*Chat SessionId:\s*([0-9A-Za-z][0-9A-Za-z_-]*)\s*$/m.exec(listed)?.[1];
}
