import { CattlegridError } from "../../errors/error.ts";
import type { AgentSummary } from "../../protocol/agent.ts";
import type { Api } from "../api.ts";

export interface GivenEnvironment {
  environment: Record<string, string>;
  /** SECURITY: go with one request for one process tree; never into what creates a sandbox, which is stored. */
  secrets: Record<string, string>;
}

/** One variable as it was written, and where. */
export interface EnvironmentEntry {
  text: string;
  /** `-e`, or a file and line. */
  place: string;
}

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/**
 * Reads `-e NAME=VALUE` and `-e NAME`, whose value is the caller's own. A name that any agent declares as a
 * credential is a secret and comes only in the second form: a value on a command line is seen by every user.
 */
export function readEnvironment(
  entries: readonly EnvironmentEntry[],
  own: Readonly<Record<string, string | undefined>>,
  credentials: ReadonlySet<string>,
): GivenEnvironment {
  const given: GivenEnvironment = { environment: {}, secrets: {} };
  for (const { text, place } of entries) {
    const equals = text.indexOf("=");
    const name = equals === -1 ? text : text.slice(0, equals);
    if (!NAME.test(name))
      throw invalid(`${place}: ${JSON.stringify(name)} is no name of a variable.`);
    const isSecret = credentials.has(name);
    if (isSecret && equals !== -1) {
      const where = place === "-e" ? "on the command line" : "in a file that is kept with others";
      throw invalid(`${place}: ${name} is a credential, and its value would stand ${where}.`, {
        hint: `Set ${name} in your shell and pass -e ${name}.`,
      });
    }
    const value = equals === -1 ? own[name] : text.slice(equals + 1);
    if (value === undefined) throw invalid(`${place}: ${name} is not set in this shell.`);
    (isSecret ? given.secrets : given.environment)[name] = value;
  }
  return given;
}

/** The same, asking the daemon for the names only when there is something to judge. */
export async function takeEnvironment(
  entries: readonly EnvironmentEntry[],
  own: Readonly<Record<string, string | undefined>>,
  api: Api,
): Promise<GivenEnvironment> {
  if (entries.length === 0) return { environment: {}, secrets: {} };
  const { agents } = await api.get<{ agents: readonly AgentSummary[] }>("/v1/agents");
  return readEnvironment(entries, own, new Set(agents.flatMap(({ credentials }) => credentials)));
}

function invalid(message: string, options: { hint?: string } = {}): CattlegridError {
  return new CattlegridError("ENVIRONMENT_INVALID", message, options);
}
