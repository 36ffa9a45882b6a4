import { CattlegridError } from "../../errors/error.ts";
import type { AgentSummary } from "../../protocol/agent.ts";
import type { Sandbox } from "../../protocol/sandbox.ts";
import type { Api } from "../api.ts";
import { findNearest } from "../../platform/nearest-name.ts";

/** The same error with the name that was probably meant, when a word of the command line is a slip away from one. */
export async function suggestName(
  error: CattlegridError,
  argv: readonly string[],
  api: Api,
): Promise<CattlegridError> {
  const names = await listNames(error, api);
  const words = argv.filter((word) => !word.startsWith("-") && !names.includes(word));
  const nearest = words.map((word) => findNearest(word, names)).find((name) => name !== undefined);
  if (nearest === undefined) return error;
  const { code, message, details } = error;
  const facts = details === undefined ? {} : { details };
  return new CattlegridError(code, `${message} Did you mean ${nearest}?`, {
    ...facts,
    hint: error.hint,
  });
}

/** What cannot be listed suggests nothing; the error itself is what counts. */
async function listNames(error: CattlegridError, api: Api): Promise<string[]> {
  try {
    if (error.code === "SANDBOX_NOT_FOUND") {
      const { sandboxes } = await api.get<{ sandboxes: readonly Sandbox[] }>("/v1/sandboxes");
      return sandboxes.map(({ name }) => name);
    }
    if (error.code !== "AGENT_UNKNOWN") return [];
    const { agents } = await api.get<{ agents: readonly AgentSummary[] }>("/v1/agents");
    return agents.map(({ id }) => id);
  } catch (failure) {
    if (CattlegridError.is(failure)) return [];
    throw failure;
  }
}
