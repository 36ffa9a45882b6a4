import type { AgentAdapter } from "../agent/agent.ts";
import type { CompiledConfiguration } from "../agent/configuration/configuration.ts";
import { refuseVariables, settingUnavailable } from "../agent/configuration/refusal.ts";
import { CattlegridError } from "../errors/error.ts";
import {
  changeArguments,
  resolveCommand,
  type ArgumentChange,
  type ResolvedCommand,
} from "../protocol/argument-rule.ts";
import type { SessionCreate } from "../protocol/session.ts";

type Asked = Pick<SessionCreate, "kind" | "arguments" | "argumentRule" | "environment">;

/**
 * What an interactive session runs. Throws TEMPLATE_FIXED for an option or a variable that says otherwise than the
 * template, AGENT_SETTING_UNAVAILABLE for a session that the agent cannot be held to the template in.
 */
export function chooseCommand(
  agent: AgentAdapter,
  asked: Asked,
  configured: CompiledConfiguration | undefined,
): ResolvedCommand {
  const { arguments: given = [], argumentRule, environment = {} } = asked;
  const change = configured?.arguments;
  refuseVariables(environment, configured?.environment);
  if (configured === undefined || change === undefined) {
    return resolveCommand(agent, given, argumentRule);
  }
  // The words that make it serve an editor are the agent's own, and change as its others do.
  if (agent.acp !== undefined && isSame(given, agent.acp)) {
    const argv = [...agent.command.slice(0, 1), ...changeArguments(given, change)];
    refuseTerminal(agent, configured);
    return { argv, isStandalone: false };
  }
  const command = [...changeArguments(agent.command, change), ...(configured.interactive ?? [])];
  const resolved = resolveCommand({ ...agent, command }, given, argumentRule);
  if (!resolved.isStandalone) {
    refuseFixed(given, change, configured.fixed);
    if (asked.kind === "interactive") refuseTerminal(agent, configured);
  }
  return resolved;
}

function refuseTerminal({ title, id }: AgentAdapter, { turnsOnly }: CompiledConfiguration): void {
  if (turnsOnly === undefined) return;
  throw settingUnavailable(title, turnsOnly, {
    hint: `Use \`cattlegrid chat ${id}\`, or say \`workspaceConfiguration: true\` in the template if that may be.`,
  });
}

function refuseFixed(
  given: readonly string[],
  change: ArgumentChange,
  more: readonly string[] = [],
): void {
  const said = change.with.filter((word) => word.startsWith("-"));
  const options = [...change.without, ...said, ...more];
  const fixed = new Set(options.map(nameOf));
  const found = given.find((word) => word.startsWith("-") && fixed.has(nameOf(word)));
  if (found === undefined) return;
  throw new CattlegridError("TEMPLATE_FIXED", `The template says otherwise than ${nameOf(found)}.`);
}

function nameOf(option: string): string {
  return option.split("=", 1)[0] ?? option;
}

function isSame(left: readonly string[], right: readonly string[]): boolean {
  return JSON.stringify(left) === JSON.stringify(right);
}
