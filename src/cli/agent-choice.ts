import { CattlegridError } from "../errors/error.ts";
import type { AgentSummary } from "../protocol/agent.ts";
import type { Sandbox } from "../protocol/sandbox.ts";
import { type Api, sandboxPath } from "./api.ts";
import { canAsk, type Caller } from "./caller.ts";

/** The sandbox of that name, or undefined. */
export async function findSandbox(api: Api, name: string): Promise<Sandbox | undefined> {
  try {
    return await api.get<Sandbox>(sandboxPath(name));
  } catch (error) {
    if (CattlegridError.is(error, "SANDBOX_NOT_FOUND")) return undefined;
    throw error;
  }
}

/** `AGENT`, or `AGENT@VERSION`. */
export function readAgent(operand: string): { agent: string; agentVersion?: string } {
  const at = operand.indexOf("@");
  if (at === -1) return { agent: operand };
  return { agent: operand.slice(0, at), agentVersion: operand.slice(at + 1) };
}

/** Lets a person pick; throws USAGE where there is nobody to ask. */
export async function chooseAgent(
  agents: readonly AgentSummary[],
  { caller, verb, asks }: { caller: Caller; verb: string; asks: boolean },
): Promise<string> {
  if (!asks || !canAsk(caller)) {
    const names = agents.map(({ id }) => id).join(", ");
    throw new CattlegridError("USAGE", `\`${verb}\` needs the name of an agent: ${names}.`, {
      hint: `See \`cattlegrid ${verb} --help\`.`,
    });
  }
  const { isCancel, select } = await import("@clack/prompts");
  const options = agents.map(({ id, title }) => ({ value: id, label: title, hint: id }));
  const { input, errors: output } = caller;
  const chosen = await select({ message: "Which agent?", options, input, output });
  if (isCancel(chosen)) throw new CattlegridError("INTERRUPTED", "No agent was chosen.");
  return chosen;
}
