import { CattlegridError } from "../../../errors/error.ts";
import { statusOf, tryInSandbox, type TrialGround } from "../../guest/trial.ts";

/**
 * Whether gVisor does here what a sandbox needs of it: versions of 2022 fail at what `ls -l` asks of a file, and give a
 * later program no terminal. Throws ISOLATION_UNAVAILABLE with the remedy.
 */
export async function trySentry(
  ground: TrialGround,
  found: { version: string; remedy: string },
  signal: AbortSignal,
): Promise<void> {
  const refuse = (why: string, cause?: unknown): CattlegridError =>
    new CattlegridError(
      "ISOLATION_UNAVAILABLE",
      `gVisor (${found.version}) does not hold a sandbox here: ${why}.`,
      { hint: found.remedy, ...(cause === undefined ? {} : { cause }) },
    );
  const terminal = { columns: 71, rows: 23 };
  const checks = [
    { why: "`ls -l` fails in it", request: { argv: ["ls", "-l", "/usr/bin/env"] } },
    {
      why: "a program has no terminal in it",
      request: { argv: ["sh", "-c", 'test -t 0 && [ "$(stty size)" = "23 71" ]'], terminal },
    },
  ];
  try {
    await tryInSandbox(ground, { isolation: "gvisor" }, async (sandbox) => {
      for (const { why, request } of checks) {
        if ((await statusOf(sandbox, request, signal)) !== 0) throw refuse(why);
      }
    });
  } catch (error) {
    if (CattlegridError.is(error, "ISOLATION_UNAVAILABLE") || signal.aborted) throw error;
    throw refuse(error instanceof Error ? error.message : String(error), error);
  }
}
