import { randomUUID } from "node:crypto";
import { CattlegridError } from "../errors/error.ts";
import { type CompletedProcess, runProcess } from "../platform/process.ts";
import type { KeyPlace } from "./key-place.ts";

const PROGRAM = "secret-tool";
/** A locked keyring asks its user, who may be away. */
const ANSWER_MS = 45_000;
const PROBE_MS = 10_000;

export interface KeyringOptions {
  /** Keeps several installations of one user apart. */
  installation: string;
  /** Of the program that asks the keyring. Default: this process's own. */
  environment?: Readonly<Record<string, string>>;
}

/**
 * The desktop's keyring (Secret Service), asked by libsecret's own program. SECURITY: keys go through pipes, never onto
 * a command line.
 */
export function createKeyring({ installation, environment }: KeyringOptions): KeyPlace {
  const attributes = ["application", "cattlegrid", "installation", installation];
  const ask = async (
    words: readonly string[],
    { signal, input = "", timeoutMs = ANSWER_MS }: Asking,
  ): Promise<CompletedProcess> => {
    const deadline = AbortSignal.timeout(timeoutMs);
    try {
      return await runProcess([PROGRAM, ...words], {
        input,
        signal: AbortSignal.any([signal, deadline]),
        ...(environment === undefined ? {} : { environment }),
      });
    } catch (error) {
      signal.throwIfAborted();
      const why = deadline.aborted ? "it gave no answer in time" : "secret-tool is not installed";
      throw unavailable(why, error);
    }
  };
  return {
    id: "keyring",
    title: "the keyring of this user",
    async load(signal) {
      const found = readLookup(await ask(["lookup", ...attributes], { signal }));
      if (found !== undefined) return found;
      // A keyring that stays locked gives nothing either; only its list tells that there is something.
      const listed = await ask(["search", "--all", ...attributes], { signal });
      if (/^\[/m.test(listed.stdout)) throw unavailable("it is locked");
      return undefined;
    },
    async store(text, signal) {
      const words = ["store", "--label=Cattlegrid: key of the vault", ...attributes];
      const stored = await ask(words, { signal, input: text });
      if (stored.code !== 0) throw unavailable(explain(stored));
      const kept = readLookup(await ask(["lookup", ...attributes], { signal }));
      if (kept !== text) throw unavailable("it did not keep what it was given");
    },
    async clear(signal) {
      await ask(["clear", ...attributes], { signal });
    },
    async refusal(signal) {
      const probe = ["application", "cattlegrid", "probe", randomUUID()];
      const options = { signal, timeoutMs: PROBE_MS };
      try {
        const label = "--label=Cattlegrid: a trial";
        const stored = await ask(["store", label, ...probe], { ...options, input: "trial" });
        if (stored.code !== 0) return explain(stored);
        const kept = readLookup(await ask(["lookup", ...probe], options));
        await ask(["clear", ...probe], options);
        return kept === "trial" ? undefined : "it does not keep what it is given";
      } catch (error) {
        if (!CattlegridError.is(error, "VAULT_KEY_UNAVAILABLE")) throw error;
        return String(error.details["why"]);
      }
    },
  };
}

interface Asking {
  signal: AbortSignal;
  input?: string;
  timeoutMs?: number;
}

/** The program ends with 1 both when there is nothing and when nobody answers; only then it says something. */
function readLookup(found: CompletedProcess): string | undefined {
  if (found.code === 0) return found.stdout.trim();
  if (found.stderr.trim() === "") return undefined;
  throw unavailable(explain(found));
}

function explain({ stderr, code }: CompletedProcess): string {
  const [line = ""] = stderr.trim().split("\n");
  return line.replace(/^secret-tool: /, "") || `secret-tool ended with ${code}`;
}

function unavailable(why: string, cause?: unknown): CattlegridError {
  return new CattlegridError("VAULT_KEY_UNAVAILABLE", `The keyring does not answer: ${why}.`, {
    details: { why },
    ...(cause === undefined ? {} : { cause }),
  });
}
