import { basename } from "node:path";
import { ACP_OPTIONS, serveEditor } from "./acp.ts";
import { logout, showProfile, whoami } from "./account.ts";
import { parseArguments } from "./arguments.ts";
import type { OptionTable, ParsedArguments } from "./arguments.ts";
import { chat } from "./chat.ts";
import { createContext } from "./context.ts";
import type { Context } from "./context.ts";
import { CommandFailure, QuietExit } from "./failure.ts";
import { login, LOGIN_OPTIONS } from "./login.ts";
import { DispatchFailure } from "./network.ts";
import { runSettings } from "./settings-command.ts";

interface Command {
  options: OptionTable;
  positionalsMax: number;
  run(context: Context, options: ParsedArguments): Promise<void> | void;
}

const FORMAT = { aliases: { f: "format" }, options: { format: "text" } } as const;

const COMMANDS: Readonly<Record<string, Command>> = {
  login: { options: LOGIN_OPTIONS, positionalsMax: 0, run: login },
  logout: { options: {}, positionalsMax: 0, run: logout },
  whoami: { options: FORMAT.options, positionalsMax: 0, run: whoami },
  profile: { options: {}, positionalsMax: 0, run: showProfile },
  acp: { options: ACP_OPTIONS, positionalsMax: 0, run: serveEditor },
  version: { options: {}, positionalsMax: 0, run: printVersion },
  settings: {
    options: { ...FORMAT.options, delete: "text", all: "flag" },
    positionalsMax: 2,
    run: runSettings,
  },
};

const HELP = `Kiro CLI simulator: a stand-in for trying out and testing, not Kiro.

Usage: kiro-cli [COMMAND]

Commands: ${["chat", ...Object.keys(COMMANDS)].join(", ")}
`;

/** `program` and `folder` come from the launcher: the name called, and where its siblings are. */
async function run(program: string, folder: string, words: readonly string[]): Promise<void> {
  const context = createContext(process.env);
  const rest = words.filter((word) => !/^-v+$/.test(word));
  const [name = "chat"] = rest;
  if (name === "-V" || name === "--version") return printVersion(context);
  if (name === "-h" || name === "--help" || name === "--help-all" || name === "help") {
    process.stdout.write(HELP);
    return;
  }
  if (name === "--agent") return executeChat(folder, ["chat", ...rest]);
  if (name === "chat") {
    return program === "kiro-cli-chat" ? chat(context, rest.slice(1)) : executeChat(folder, rest);
  }
  const command = COMMANDS[name];
  if (command === undefined) {
    process.stderr.write(`error: unrecognized subcommand '${name}'\n\nUsage: kiro-cli [COMMAND]\n`);
    throw new QuietExit(2);
  }
  const usage = `kiro-cli ${name} [OPTIONS]`;
  await command.run(context, parseArguments(rest.slice(1), { usage, ...FORMAT, ...command }));
}

function printVersion(context: Context): void {
  process.stdout.write(`kiro-cli ${context.profile.version}\n`);
}

/** Becomes the sibling program, keeping the process id that signals are sent to. */
function executeChat(folder: string, words: readonly string[]): void {
  const sibling = `${folder}/kiro-cli-chat`;
  if (process.execve === undefined) throw new CommandFailure("this system cannot execute programs");
  process.execve(sibling, [basename(sibling), ...words], process.env as Record<string, string>);
}

/** Status of the process: the failure is said here, and nowhere twice. */
function readFailure(error: unknown): number {
  if (error instanceof QuietExit) return error.exitCode;
  if (error instanceof CommandFailure || error instanceof DispatchFailure) {
    process.stderr.write(`error: ${error.message}\n`);
    return error instanceof CommandFailure ? error.exitCode : 1;
  }
  throw error;
}

const [program = "kiro-cli", folder = "", ...words] = process.argv.slice(2);
let status = 0;
try {
  await run(program, folder, words);
} catch (error) {
  status = readFailure(error);
}
// Sockets and a terminal's stdin may still be open; what was written leaves before the process does.
process.stdout.write("", () => process.stderr.write("", () => process.exit(status)));
