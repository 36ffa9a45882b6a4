import { ensureDaemon, findDaemon } from "../../platform/daemon-start.ts";
import type { DaemonVersion } from "../../protocol/daemon.ts";
import { parseChoice } from "../creation/amount.ts";
import { tell, write } from "../caller.ts";
import { JSON_FLAG } from "../creation/creation-flags.ts";
import { stopDaemon } from "../daemon/daemon-stop.ts";
import { defineVerb, type VerbContext } from "../verb.ts";

/** As with system services: asked for its state, and not running. */
const EXIT_CODE_NOT_RUNNING = 3;

export const DAEMON = defineVerb({
  verb: "daemon",
  usage: "[FLAGS] start|stop|status|log",
  description:
    "The daemon holds sandboxes and sessions. It starts with the first command that needs it and goes when it has\n" +
    "nothing left to do. `stop` stops every sandbox. `status` ends with 3 when none runs. `log` shows what the daemon wrote of\n" +
    "itself, one JSON document a line: no prompt, no secret, and nothing of what an agent said.",
  example: "cattlegrid daemon status --json",
  operands: {
    min: 1,
    max: 1,
    names: "start, stop, status or log",
    suggest: [["start", "stop", "status", "log"]],
  },
  trailing: "none",
  flags: {
    foreground: { kind: "switch", help: "with start: stay, and show why it does not start" },
    follow: { kind: "switch", short: "f", help: "with log: wait for more until interrupted" },
    ...JSON_FLAG,
  },
  async run({ flags, operands: [word = ""] }, context) {
    switch (parseChoice(word, "daemon", ["start", "stop", "status", "log"])) {
      case "start":
        return flags.foreground ? startHere(context) : start(context);
      case "stop":
        return stop(context);
      case "status":
        return showStatus(context, flags.json === true);
      case "log":
        return showLog(context, flags.follow === true);
    }
  },
});

async function start({ api, caller }: VerbContext): Promise<number> {
  const { paths, uid, environment } = caller;
  await ensureDaemon({ paths, uid, environment, signal: api.signal });
  tell(caller, "cattlegrid: the daemon runs.");
  return 0;
}

/** Signals reach the daemon, whose end is then this verb's end. */
async function startHere({ caller, signals }: VerbContext): Promise<number> {
  const { daemonEntry } = await import("../../platform/daemon-start.ts");
  const { exitCode, spawnProcess } = await import("../../platform/process.ts");
  const argv = [process.execPath, ...process.execArgv, daemonEntry()];
  const child = spawnProcess(argv, { stdio: "inherit" });
  using _route = signals.handle((signal) => {
    // A terminal sends its own to the whole group.
    if (signal === "SIGTERM" || !caller.input.isTTY) child.kill(signal);
  });
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  child.once("error", reject);
  child.once("close", (code, signal) => resolve(exitCode(code, signal)));
  return await promise;
}

async function stop({ api, caller }: VerbContext): Promise<number> {
  const wasThere = await stopDaemon(caller, api.signal);
  tell(caller, wasThere ? "cattlegrid: the daemon is stopped." : "cattlegrid: no daemon ran.");
  return 0;
}

async function showStatus({ api, caller }: VerbContext, asJson: boolean): Promise<number> {
  const isThere = (await findDaemon(caller.paths, caller.uid)) !== undefined;
  const daemon = isThere ? await api.get<DaemonVersion>("/v1/version") : null;
  const { logFile } = caller.paths;
  if (asJson) {
    const status = { running: isThere, daemon, logFile };
    caller.output.write(`${JSON.stringify(status, undefined, 2)}\n`);
  } else if (daemon === null) caller.output.write("not running\n");
  else {
    const { pid, version, sandboxesRunning, sessionsOpen, stateDirectory } = daemon;
    const counts = `${sandboxesRunning} sandboxes running, ${sessionsOpen} sessions open`;
    caller.output.write(`running: pid ${pid}, version ${version}, ${counts}, ${stateDirectory}\n`);
    caller.output.write(`log: ${logFile}\n`);
  }
  return isThere ? 0 : EXIT_CODE_NOT_RUNNING;
}

async function showLog({ api, caller }: VerbContext, follow: boolean): Promise<number> {
  const { readLog } = await import("../daemon/daemon-log.ts");
  for await (const bytes of readLog(caller.paths.logFile, { follow, signal: api.signal })) {
    if (!(await write(caller.output, bytes))) break;
  }
  return 0;
}
