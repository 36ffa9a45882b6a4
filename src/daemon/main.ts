import { closeSync, writeSync } from "node:fs";
import { homedir } from "node:os";
import { asCattlegridError } from "../errors/error.ts";
import { START_REPORT_DESCRIPTOR, type StartReport } from "../platform/daemon-start.ts";
import { openLogFile, type LogFile } from "../platform/logger.ts";
import { resolvePaths, type Paths } from "../platform/paths.ts";
import { openStateDirectory } from "../platform/state-directory.ts";
import { readArguments, type DaemonArguments } from "./arguments.ts";
import { openLocalDaemon } from "./local-daemon.ts";

const EXIT_FAILED = 125;

async function main(): Promise<void> {
  const { env: environment } = process;
  const settings = readArguments(process.argv.slice(2), environment);
  const uid = process.getuid?.() ?? -1;
  const paths = resolvePaths({ environment, uid, homeDirectory: homedir() });
  openStateDirectory(paths.stateDirectory);
  const logger = openLogFile({ path: paths.logFile });
  logCrashes(logger);
  const places = { paths, uid, homeDirectory: homedir(), environment };
  const daemon = await openLocalDaemon({ ...places, logger, idleMs: settings.idleMs });
  // A closed terminal is no reason for sandboxes to end.
  process.on("SIGHUP", () => logger.info("hangup ignored"));
  for (const name of ["SIGTERM", "SIGINT"] as const) process.on(name, () => void daemon.close());
  tellStarted(settings, paths);
  try {
    await daemon.closed;
  } catch (error) {
    logger.error("the daemon did not end in good order", { error });
    process.exit(EXIT_FAILED);
  }
  // Whatever still holds the event loop has been told to end; a daemon that lingers helps nobody.
  process.exit(0);
}

/** SECURITY: an error's stack goes to the log, whose reader is the owner; it holds no request. */
function logCrashes(logger: LogFile): void {
  process.on("unhandledRejection", (error) => logger.error("a failure nobody awaited", { error }));
  process.on("uncaughtException", (error) => {
    logger.error("the daemon crashes", { error });
    process.exit(EXIT_FAILED);
  });
}

function tellStarted({ isDetached }: DaemonArguments, paths: Paths): void {
  if (isDetached) report({ socket: paths.socketFile });
  else process.stderr.write(`cattlegrid: the daemon listens on ${paths.socketFile}\n`);
}

function report(content: StartReport): void {
  writeSync(START_REPORT_DESCRIPTOR, `${JSON.stringify(content)}\n`);
  closeSync(START_REPORT_DESCRIPTOR);
}

function tellFailed(thrown: unknown): void {
  const { code, message, hint, details } = asCattlegridError(thrown);
  if (process.argv.includes("--detached")) report({ code, message, hint, details });
  else process.stderr.write(`cattlegrid: ${message} [${code}]\n  ${hint}\n`);
}

try {
  await main();
} catch (error) {
  tellFailed(error);
  process.exit(EXIT_FAILED);
}
