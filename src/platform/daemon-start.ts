import type { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { ERROR_CODES, type ErrorCode } from "../errors/codes.ts";
import { CattlegridError } from "../errors/error.ts";
import { findDaemon } from "./daemon-file.ts";
import type { Paths } from "./paths.ts";
import { spawnProcess } from "./process.ts";

export { findDaemon, readDaemonPid, removeDaemonFile, writeDaemonFile } from "./daemon-file.ts";

/**
 * How a daemon starts. The client starts it in a session of its own with `/` as its directory and /dev/null as its
 * three streams: an inherited pipe would keep `cattlegrid … | tee` waiting for as long as the daemon lives. It says
 * how the start went by one JSON line on descriptor 3, then closes it: `{"socket":PATH}`, or
 * `{"code":…,"message":…,"hint":…,"details":…}`. The daemon's file in the state directory names the
 * socket for later clients, whose own XDG_RUNTIME_DIR may differ.
 */
export const START_REPORT_DESCRIPTOR = 3;
/** Tells the daemon that it was started so; without it the descriptor is not its to write. */
export const DETACHED_FLAG = "--detached";

const START_TIMEOUT_MS = 20_000;
const RETRY_MS = 25;

/**
 * SECURITY: nothing else of the calling shell reaches the daemon, so that no secret of it lives on there, but one
 * that the operator put into a variable for the upstream proxy alone.
 */
const DAEMON_ENVIRONMENT =
  /^(PATH|HOME|USER|LOGNAME|SHELL|LANG|LC_[A-Z]+|TZ|TMPDIR|XDG_RUNTIME_DIR|DBUS_SESSION_BUS_ADDRESS|NODE_COMPILE_CACHE|CATTLEGRID_IDLE_MS|CATTLEGRID_ORGANISATION_POLICY|CATTLEGRID_(?:CRUN|RUNC|RUNSC)|CATTLEGRID_UPSTREAM_[A-Z0-9_]+)$/;

export type StartReport =
  | { socket: string }
  | { code: string; message: string; hint: string; details: Record<string, unknown> };

export interface EnsureDaemonOptions {
  paths: Paths;
  uid: number;
  /** Of the caller; a few names of it reach the daemon. */
  environment: Readonly<Record<string, string | undefined>>;
  signal: AbortSignal;
  /** Default 20 s. */
  timeoutMs?: number;
}

function unsupported(): CattlegridError {
  return new CattlegridError(
    "ISOLATION_UNAVAILABLE",
    `Sandboxes need Linux; this is ${process.platform}.`,
    { hint: "`cattlegrid doctor` says what there is instead." },
  );
}

/**
 * The socket of the daemon that serves this state, which is started when there is none. However many ask at once,
 * one daemon results. A request that then fails with ECONNREFUSED, ENOENT or ECONNRESET met a daemon
 * that was just going: ask again. Throws what the daemon said about why it cannot start.
 */
export async function ensureDaemon(options: EnsureDaemonOptions): Promise<string> {
  if (process.platform !== "linux") throw unsupported();
  const deadline = performance.now() + (options.timeoutMs ?? START_TIMEOUT_MS);
  for (;;) {
    options.signal.throwIfAborted();
    const found = await findDaemon(options.paths, options.uid);
    if (found !== undefined) return found;
    const report = await startDaemon(options);
    if ("socket" in report) return report.socket;
    // Another client's daemon has the state: it is about to listen, or about to be gone.
    const isTaken = report.code === "STATE_LOCKED";
    if (!isTaken || performance.now() > deadline) throw toError(report);
    await delay(RETRY_MS, undefined, { signal: options.signal });
  }
}

async function startDaemon(options: EnsureDaemonOptions): Promise<StartReport> {
  const { paths, environment } = options;
  const entries = Object.entries(environment).filter(([name]) => DAEMON_ENVIRONMENT.test(name));
  const kept = Object.fromEntries(entries.map(([name, value]) => [name, value ?? ""]));
  const argv = [process.execPath, QUIET_FLAG, daemonEntry(), DETACHED_FLAG];
  const child = spawnProcess(argv, {
    cwd: "/",
    environment: { ...kept, CATTLEGRID_HOME: paths.stateDirectory },
    detached: true,
    stdio: ["ignore", "ignore", "ignore", "pipe"],
  });
  child.unref();
  const report = child.stdio[START_REPORT_DESCRIPTOR] as Readable;
  const failed = new Promise<never>((_resolve, reject) => child.once("error", reject));
  const timeout = AbortSignal.timeout(options.timeoutMs ?? START_TIMEOUT_MS);
  const signal = AbortSignal.any([options.signal, timeout]);
  const onAbort = (): unknown => report.destroy(new CattlegridError("DAEMON_UNREACHABLE", SLOW));
  signal.addEventListener("abort", onAbort);
  try {
    const text = await Promise.race([readAll(report), failed]);
    return readReport(text, paths);
  } finally {
    signal.removeEventListener("abort", onAbort);
    report.destroy();
  }
}

/** The database module of this Node announces itself as experimental. */
const QUIET_FLAG = "--disable-warning=ExperimentalWarning";
const SLOW = "The daemon did not say in time that it runs.";

/** This module's own neighbour, in the source tree and in the published package alike. */
export function daemonEntry(): string {
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  return fileURLToPath(new URL(`../daemon/main.${extension}`, import.meta.url));
}

async function readAll(stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}

function readReport(text: string, paths: Paths): StartReport {
  if (text.endsWith("\n")) return JSON.parse(text) as StartReport;
  const message = "The daemon ended before it said how its start went.";
  throw new CattlegridError("DAEMON_UNREACHABLE", message, {
    hint: `Read ${paths.logFile}, or run \`cattlegrid daemon start --foreground\`.`,
  });
}

function toError(report: Exclude<StartReport, { socket: string }>): CattlegridError {
  const { code, message, hint, details } = report;
  const known = Object.hasOwn(ERROR_CODES, code) ? (code as ErrorCode) : "DAEMON_UNREACHABLE";
  return new CattlegridError(known, message, { hint, details });
}
