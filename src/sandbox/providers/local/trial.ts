import { CattlegridError } from "../../../errors/error.ts";
import { statusOf, tryInSandbox, type TrialGround } from "../../guest/trial.ts";
import type { ProcessRequest } from "../../process.ts";
import { CONTAINER_REMEDY, SENTRY_REMEDY } from "./runtimes/choice.ts";
import type { OciRuntime } from "./runtimes/oci-runtime.ts";

export interface Tried {
  runtime: OciRuntime;
  /** Name and version. */
  version: string;
}

interface Check {
  why: string;
  request: ProcessRequest;
}

/** A runtime may set the size a moment after the program has started. */
const AWAIT_SIZE = `test -t 0 || exit 1
tries=0
until [ "$(stty size)" = "23 71" ]; do
  tries=$((tries + 1))
  [ $tries -lt 50 ] || exit 1
  sleep 0.1
done`;
const TERMINAL_CHECK: Check = {
  why: "a program has no terminal in it",
  request: {
    argv: ["sh", "-c", AWAIT_SIZE],
    terminal: { columns: 71, rows: 23 },
  },
};
/** Versions of 2022 fail at what `ls -l` asks of a file, and give a later program no terminal. */
const SENTRY_CHECKS = [
  { why: "`ls -l` fails in it", request: { argv: ["ls", "-l", "/usr/bin/env"] } },
  TERMINAL_CHECK,
];
/** SECURITY: what only the filter of system calls refuses, in a process that was started later. */
const RUNC_CHECKS = [
  {
    why: "its programs are not held by the filter of system calls",
    request: { argv: ["sh", "-c", "cd /tmp && : >f && chmod 700 f && ! chmod u+s f 2>/dev/null"] },
  },
  TERMINAL_CHECK,
];
/** Of crun, whose versions all hold what they start, the start alone is tried. */
const CHECKS: Readonly<Record<OciRuntime["name"], readonly Check[]>> = {
  crun: [],
  runc: RUNC_CHECKS,
  runsc: SENTRY_CHECKS,
};
/** What is no fault of the runtime. */
const OF_THE_MACHINE = ["ISOLATION_UNAVAILABLE", "DISK_FULL", "FILE_SYSTEM_UNSUITABLE"] as const;

/** Whether a runtime does here what a sandbox needs of it. Throws ISOLATION_UNAVAILABLE with the remedy. */
export async function tryRuntime(
  ground: TrialGround,
  { runtime, version }: Tried,
  signal: AbortSignal,
): Promise<void> {
  const isSentry = runtime.isolation === "gvisor";
  const refuse = (why: string, cause?: unknown): CattlegridError =>
    new CattlegridError(
      "ISOLATION_UNAVAILABLE",
      `${isSentry ? `gVisor (${version})` : version} does not hold a sandbox here: ${why}.`,
      {
        hint: isSentry ? SENTRY_REMEDY : CONTAINER_REMEDY,
        ...(cause === undefined ? {} : { cause }),
      },
    );
  try {
    await tryInSandbox(ground, { isolation: runtime.isolation }, async (sandbox) => {
      for (const { why, request } of CHECKS[runtime.name]) {
        if ((await statusOf(sandbox, request, signal)) !== 0) throw refuse(why);
      }
    });
  } catch (error) {
    const isMachine = OF_THE_MACHINE.some((code) => CattlegridError.is(error, code));
    if (isMachine || signal.aborted) throw error;
    throw refuse(error instanceof Error ? error.message : String(error), error);
  }
}
