import { CattlegridError } from "../errors/error.ts";
import { readMirrors } from "../client/mirrors.ts";
import { changeArguments, resolveCommand } from "../protocol/argument-rule.ts";
import type { AgentSummary } from "../protocol/agent.ts";
import type { SessionCreate } from "../protocol/session.ts";
import type { TemplateDetail } from "../protocol/template-list.ts";
import type { TemplatePlan, TemplatePlanWish } from "../protocol/template-plan.ts";
import { chooseAgent, findSandbox, readAgent } from "./agent-choice.ts";
import { tell } from "./caller.ts";
import { resolveWorkspace } from "./creation/creation.ts";
import type { Settings } from "./settings.ts";
import { templatePath } from "./template/approval.ts";
import { readParameters } from "./template/given-parameters.ts";
import { renderPlan } from "./template/plan-text.ts";
import type { VerbContext } from "./verb.ts";

export interface DryRun {
  verb: "run" | "chat";
  flags: {
    name: string | undefined;
    input: boolean | undefined;
    template: string | undefined;
    provider: string | undefined;
    param: readonly string[];
    "params-file": string | undefined;
  };
  /** Prints everything as one JSON object. */
  json: boolean;
  settings: Settings;
  operands: readonly string[];
  trailing: readonly string[];
  rule: NonNullable<SessionCreate["argumentRule"]>;
}

type Connection = Pick<VerbContext, "api" | "caller">;

/** A template that was chosen, as it is written and as it would count. */
interface Planned {
  detail: TemplateDetail;
  plan: TemplatePlan;
}

/**
 * Prints the command that would run, as one JSON array, and what a template makes of its sandbox beside it. A chat has no
 * one command, so that it prints the latter alone. Nothing is made and nothing is started.
 */
export async function printCommand(run: DryRun, { api, caller }: Connection): Promise<number> {
  const { verb, json } = run;
  const name = run.flags.template ?? run.settings.flags["template"] ?? "";
  const detail = name === "" ? undefined : await readTemplate(name, run, { api, caller });
  const agent = await findAgent(run, detail, { api, caller });
  const wish = { api, caller, id: agent.id };
  const planned = detail && { detail, plan: await makePlan(name, run, wish) };
  const command = verb === "run" ? resolve(agent, run, planned) : undefined;
  if (json) {
    const shown = { command, template: planned?.plan };
    caller.output.write(`${JSON.stringify(shown, undefined, 2)}\n`);
  } else {
    writeText({ caller, command, planned });
  }
  return 0;
}

/** What would run is data; what a template says beside it is for whoever reads along. */
function writeText({
  caller,
  command,
  planned,
}: Pick<Connection, "caller"> & {
  command: readonly string[] | undefined;
  planned: Planned | undefined;
}): void {
  const out = command === undefined ? caller.output : caller.errors;
  if (planned !== undefined) out.write(renderPlan(planned.plan, planned.detail));
  else if (command === undefined) tell(caller, "cattlegrid: no template is chosen.");
  if (command !== undefined) caller.output.write(`${JSON.stringify(command)}\n`);
}

/** That of the command line, of the sandbox of that name, of the template, or the one that a person picks. */
async function findAgent(
  { verb, flags: { name, input }, operands: [operand] }: DryRun,
  detail: TemplateDetail | undefined,
  { api, caller }: Connection,
): Promise<AgentSummary> {
  const { agents } = await api.get<{ agents: readonly AgentSummary[] }>("/v1/agents");
  const known = name === undefined ? undefined : (await findSandbox(api, name))?.agent;
  const asked = operand === undefined ? undefined : readAgent(operand).agent;
  const ask = { caller, verb, asks: input !== false };
  const id = asked ?? known ?? detail?.summary.agent ?? (await chooseAgent(agents, ask));
  const agent = agents.find((each) => each.id === id);
  if (agent !== undefined) return agent;
  throw new CattlegridError("AGENT_UNKNOWN", `There is no agent ${JSON.stringify(id)}.`);
}

function resolve(
  agent: AgentSummary,
  { trailing, rule }: DryRun,
  planned: Planned | undefined,
): readonly string[] {
  if (planned === undefined) return resolveCommand(agent, trailing, rule).argv;
  const { arguments: change, interactive } = planned.plan;
  const command = [...changeArguments(agent.command, change), ...interactive];
  return resolveCommand({ ...agent, command }, trailing, rule).argv;
}

async function readTemplate(
  name: string,
  run: DryRun,
  { api, caller }: Connection,
): Promise<TemplateDetail> {
  const workspace = await resolveWorkspace(run.operands[1], caller.directory);
  return api.get<TemplateDetail>(templatePath(name, workspace));
}

async function makePlan(
  name: string,
  { verb, flags, operands, settings }: DryRun,
  { api, caller, id }: Connection & { id: string },
): Promise<TemplatePlan> {
  const { directory } = caller;
  const mirrors = await readMirrors(caller, settings);
  const provider = flags.provider ?? settings.flags["provider"];
  const wish: TemplatePlanWish = {
    workspace: await resolveWorkspace(operands[1], directory),
    agent: id,
    parameters: await readParameters(flags, { verb, directory }),
    ...(provider === undefined ? {} : { provider }),
    ...(mirrors === undefined ? {} : { mirrors }),
  };
  return api.post<TemplatePlan>(`/v1/templates/${encodeURIComponent(name)}/plan`, wish);
}
