import { CattlegridError } from "../../errors/error.ts";
import type { AgentSummary } from "../../protocol/agent.ts";
import type { TemplateList, TemplateSummary } from "../../protocol/template-list.ts";
import { chooseAgent } from "../agent-choice.ts";
import type { Api } from "../api.ts";
import { canAsk, type Caller } from "../caller.ts";
import { makeOneLine } from "../output/error-text.ts";

export interface Picking {
  caller: Caller;
  verb: string;
  asks: boolean;
  workspace: string | undefined;
}

export type Picked = { template: string } | { agent: string };

/** Lets a person pick what is to run: templates first, the organisation's before the others, then agents. */
export async function pickWhatToRun(
  agents: readonly AgentSummary[],
  api: Api,
  { workspace, ...ask }: Picking,
): Promise<Picked> {
  const isAsked = ask.asks && canAsk(ask.caller);
  const templates = isAsked ? await listUsable(api, agents, workspace) : [];
  if (templates.length === 0) return { agent: await chooseAgent(agents, ask) };
  const { isCancel, select } = await import("@clack/prompts");
  const options = [
    ...templates.map((template) => ({
      value: `template ${template.name}`,
      label: makeOneLine(template.title),
      hint: describe(template),
    })),
    ...agents.map(({ id, title }) => ({ value: `agent ${id}`, label: title, hint: id })),
  ];
  const { input, errors: output } = ask.caller;
  const chosen = await select({ message: "What shall run?", options, input, output });
  if (isCancel(chosen)) throw new CattlegridError("INTERRUPTED", "Nothing was chosen.");
  const [kind, name = ""] = chosen.split(" ");
  return kind === "template" ? { template: name } : { agent: name };
}

function describe({ name, origin, description }: TemplateSummary): string {
  const whose = { organisation: "your organisation's", user: "yours", project: "the project's" };
  const from = origin === "shipped" ? "" : `, ${whose[origin]}`;
  return makeOneLine(`${name}${from}${description === undefined ? "" : `: ${description}`}`);
}

/** An older daemon has none; one whose agent cannot do what is asked for is not offered. */
async function listUsable(
  api: Api,
  agents: readonly AgentSummary[],
  workspace: string | undefined,
): Promise<readonly TemplateSummary[]> {
  if (api.minor < 1) return [];
  const query = workspace === undefined ? "" : `?workspace=${encodeURIComponent(workspace)}`;
  const { templates } = await api.get<TemplateList>(`/v1/templates${query}`);
  return templates.filter(
    ({ coveredBy, problem, agent }) =>
      coveredBy === undefined &&
      problem === undefined &&
      (agent === undefined || agents.some(({ id }) => id === agent)),
  );
}
