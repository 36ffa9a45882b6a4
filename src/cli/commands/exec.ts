import { setImmediate as nextTurn } from "node:timers/promises";
import type { Exec, ProcessStarted } from "../../protocol/process.ts";
import { sandboxPath } from "../api.ts";
import { usage } from "../arguments.ts";
import { terminalEnvironment, terminalSize, wantsTerminal } from "../caller.ts";
import { ENV_FILE_FLAG, RECORD_FLAG, SECRET_FLAG } from "../creation/creation-flags.ts";
import { exitCodeOfEnding } from "../terminal/ending.ts";
import { recordInto, wantsEngineRecording } from "../terminal/recording.ts";
import { describeBindings } from "../secret/binding-flag.ts";
import { postBound } from "../secret/bound-request.ts";
import { defineVerb, type VerbContext } from "../verb.ts";

export const EXEC = defineVerb({
  verb: "exec",
  usage: "[FLAGS] NAME [--] COMMAND [ARGUMENTS]",
  description:
    "Runs a command in a running sandbox. What follows is the command's own, untouched; no shell reads it.\n" +
    "With a terminal on both ends it runs in a terminal of its own, else its streams are pipes and every byte is exact.\n" +
    "Ends with the command's exit status.",
  example: "cattlegrid exec my-sandbox -- npm test",
  operands: { min: 1, max: 1, names: "the name of a sandbox, and a command", suggest: ["sandbox"] },
  trailing: "after-name",
  flags: {
    workdir: {
      kind: "text",
      short: "w",
      value: "DIR",
      help: "directory inside to run in; default: the workspace",
    },
    env: {
      kind: "list",
      short: "e",
      value: "NAME[=VALUE]",
      help: "a variable for the command; without a value, this shell's own",
    },
    ...RECORD_FLAG,
    ...ENV_FILE_FLAG,
    ...SECRET_FLAG,
    tty: {
      kind: "switch",
      short: "t",
      negatable: true,
      help: "whether the command gets a terminal",
    },
  },
  async run({ flags, operands: [name = ""], trailing: argv }, context) {
    if (argv.length === 0) throw usage("exec", `\`exec ${name}\` needs a command.`);
    const { caller, api, signals } = context;
    const hasTerminal = wantsTerminal(caller, flags.tty);
    const request: Exec = {
      argv: [...argv],
      attended: true,
      ...(wantsEngineRecording(flags.record) ? { record: true } : {}),
      ...(flags.workdir === undefined ? {} : { cwd: flags.workdir }),
      ...describeBindings(flags.secret),
      ...(await describeSurroundings(flags, hasTerminal, context)),
    };
    const started = postBound<ProcessStarted>(sandboxPath(name, "/exec"), request, context);
    const [{ terminalId }, link] = await Promise.all([started, loadLink(hasTerminal)]);
    const socketPath = await api.socket();
    const target = { socketPath, terminalId, offset: 0, signal: api.signal };
    const recording = { flag: flags.record, caller, title: argv.join(" "), hasTerminal };
    return recordInto(recording, async (seen) =>
      exitCodeOfEnding(await link(target, { caller: seen, signals })),
    );
  },
});

async function describeSurroundings(
  flags: { env: readonly string[]; "env-file": readonly string[] },
  hasTerminal: boolean,
  { caller, api }: VerbContext,
): Promise<Pick<Exec, "environment" | "secrets" | "terminal">> {
  const own = hasTerminal ? terminalEnvironment(caller) : {};
  const terminal = hasTerminal ? { terminal: terminalSize(caller) } : {};
  if (flags.env.length + flags["env-file"].length === 0) return { environment: own, ...terminal };
  const { takeEnvironment } = await import("../creation/environment.ts");
  const { listVariables } = await import("../creation/environment-file.ts");
  const entries = await listVariables(flags, caller);
  const { environment, secrets } = await takeEnvironment(entries, caller.environment, api);
  return { environment: { ...own, ...environment }, secrets, ...terminal };
}

/** Read while the daemon starts the command, which is on its way after one turn of the event loop. */
async function loadLink(hasTerminal: boolean) {
  await nextTurn();
  const { preloadWebSocket } = await import("../../platform/websocket-client.ts");
  preloadWebSocket();
  if (!hasTerminal) return (await import("../terminal/pipe.ts")).pipeTerminal;
  return (await import("../terminal/exec-view.ts")).viewExec;
}
