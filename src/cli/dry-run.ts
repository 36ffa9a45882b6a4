import { CattlegridError } from "../errors/error.ts";
import { resolveCommand } from "../protocol/argument-rule.ts";
import type { AgentSummary } from "../protocol/agent.ts";
import type { SessionCreate } from "../protocol/session.ts";
import { chooseAgent, findSandbox, readAgent } from "./agent-choice.ts";
import type { TemplateDetail } from "../protocol/template-list.ts";
import { resolveWorkspace } from "./creation/creation.ts";
import type { Settings } from "./settings.ts";
import { templatePath } from "./template/approval.ts";
import type { VerbContext } from "./verb.ts";

export interface DryRun {
  flags: {
    name: string | undefined;
    input: boolean | undefined;
    template: string | undefined;
  };
  settings: Settings;
  operands: readonly string[];
  trailing: readonly string[];
  rule: NonNullable<SessionCreate["argumentRule"]>;
}

/** Prints the command that `run` would run, as one JSON array. Nothing is made and nothing is started. */
export async function printCommand(run: DryRun, { api, caller }: VerbContext): Promise<number> {
  const { agents } = await api.get<{ agents: readonly AgentSummary[] }>("/v1/agents");
  const { name, input } = run.flags;
  const template = run.flags.template ?? run.settings.flags["template"] ?? "";
  const known = name === undefined ? undefined : (await findSandbox(api, name))?.agent;
  const ask = { caller, verb: "run", asks: input !== false };
  const operand = run.operands[0];
  const asked = operand === undefined ? undefined : readAgent(operand).agent;
  const id =
    asked ??
    known ??
    (await findTemplateAgent(template, { api, caller })) ??
    (await chooseAgent(agents, ask));
  const agent = agents.find((each) => each.id === id);
  if (agent === undefined) {
    throw new CattlegridError("AGENT_UNKNOWN", `There is no agent ${JSON.stringify(id)}.`);
  }
  const { argv } = resolveCommand(agent, run.trailing, run.rule);
  caller.output.write(`${JSON.stringify(argv)}\n`);
  return 0;
}

async function findTemplateAgent(
  template: string,
  { api, caller }: Pick<VerbContext, "api" | "caller">,
): Promise<string | undefined> {
  if (template === "") return undefined;
  const workspace = await resolveWorkspace(undefined, caller.directory);
  const { summary } = await api.get<TemplateDetail>(templatePath(template, workspace));
  return summary.agent;
}
