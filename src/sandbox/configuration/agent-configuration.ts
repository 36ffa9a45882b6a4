import { createHash } from "node:crypto";
import type { AgentAdapter, TurnOptions } from "../../agent/agent.ts";
import type {
  CompiledConfiguration,
  ConfigurationContext,
  ConfigurationFile,
  WantedConfiguration,
} from "../../agent/configuration/configuration.ts";
import { requireParts } from "../../agent/configuration/parts.ts";
import { refuseVariables } from "../../agent/configuration/refusal.ts";
import { CattlegridError } from "../../errors/error.ts";
import type { ResolvedTemplate } from "../../protocol/template.ts";
import type { SandboxRow } from "../../store/sandbox-rows.ts";
import { HOME } from "../guest/environment.ts";
import type { RunningSandbox } from "../provider.ts";
import { importedOf, markImported } from "./imports.ts";
import { placeFiles } from "./home-placement.ts";
import {
  checkHomePath,
  listRead,
  NOTHING_PLACED,
  planHome,
  type PlacedFiles,
} from "./home-plan.ts";

const TOKEN_CHARACTERS = 16;
const NOTHING: CompiledConfiguration = { files: [] };

/** What a template says to a sandbox's agent, in the agent's own words. */
export interface SandboxConfiguration {
  compiled: CompiledConfiguration;
  /** The template's files, and the agent's own after them. */
  files: readonly ConfigurationFile[];
}

export type ConfiguredRow = Pick<SandboxRow, "id"> & {
  specification: Pick<
    SandboxRow["specification"],
    "template" | "making" | "workspace" | "layers" | "environment"
  >;
};

export interface CompilePlace {
  /** Of the sandbox. Default: `/home/agent`. */
  home?: string | undefined;
  /** Of the session. */
  options?: TurnOptions;
}

/**
 * Undefined for a sandbox without a template. Pure. Throws AGENT_SETTING_UNAVAILABLE for what the agent cannot be told,
 * TEMPLATE_INVALID for a path outside the home, TEMPLATE_FIXED for an option that says otherwise.
 */
export function compileConfiguration(
  row: ConfiguredRow,
  agent: AgentAdapter,
  place: CompilePlace = {},
): SandboxConfiguration | undefined {
  const { template, making, environment } = row.specification;
  if (template === undefined) return undefined;
  const wanted = describeWanted(template, agent.id);
  requireParts(agent, wanted);
  checkOptions(wanted, agent, place.options ?? {});
  const compiled = agent.configuration?.compile(wanted, contextOf(row, agent, place)) ?? NOTHING;
  refuseVariables(environment, compiled.environment);
  const files = [...template.files, ...markImported(compiled.files, importedOf(making?.request))];
  for (const { path } of files) checkHomePath(path);
  return { compiled, files };
}

function contextOf(
  { id, specification: { workspace, layers } }: ConfiguredRow,
  agent: AgentAdapter,
  { home = HOME, options: { engine } = {} }: CompilePlace,
): ConfigurationContext {
  const version = findVersion(agent.id, layers);
  return {
    home,
    workspace: workspace?.path ?? null,
    token: tokenOf(id),
    ...(engine === undefined ? {} : { engine }),
    ...(version === undefined ? {} : { version }),
  };
}

export function describeWanted(template: ResolvedTemplate, agentId: string): WantedConfiguration {
  const { name, title, agents, steering, mcpServers } = template;
  return { name, title, agent: agents[agentId] ?? {}, steering, mcpServers };
}

/** SECURITY: a session may choose what the template leaves open, and nothing else. */
function checkOptions(
  { agent: said }: WantedConfiguration,
  agent: AgentAdapter,
  { model, configuration }: TurnOptions,
): void {
  if (agent.configuration === undefined) return;
  if (configuration !== undefined) throw fixed("the agent's configuration");
  if (model !== undefined && said.model !== undefined) throw fixed(`the model ${said.model}`);
}

function fixed(what: string): CattlegridError {
  return new CattlegridError("TEMPLATE_FIXED", `The template says ${what}.`);
}

/** SECURITY: of the sandbox's id, which is random, so that who wrote the workspace cannot know it. */
function tokenOf(sandboxId: string): string {
  return createHash("sha256").update(sandboxId).digest("hex").slice(0, TOKEN_CHARACTERS);
}

/** Of the installed agent, as the name of its layer tells. */
function findVersion(agentId: string, layers: readonly string[]): string | undefined {
  const pattern = /^(\d+(?:\.\d+)+)-/;
  const own = layers.filter((layer) => layer.startsWith(`${agentId}-`));
  return own.map((layer) => pattern.exec(layer.slice(agentId.length + 1))?.[1]).find(Boolean);
}

export interface ConfigurationPlace {
  running: RunningSandbox;
  row: ConfiguredRow & { specification: { placed?: PlacedFiles } };
  signal: AbortSignal;
}

/** Puts into the home what the template says and takes out what it said before. Throws what `placeFiles` throws. */
export async function placeConfiguration(
  { running, row, signal }: ConfigurationPlace,
  { compiled, files }: SandboxConfiguration,
): Promise<void> {
  const { workspace, placed: former = NOTHING_PLACED } = row.specification;
  const { guarded, reads = [] } = compiled;
  const guard =
    guarded === undefined || workspace === null
      ? undefined
      : { directory: `${workspace.path}/${guarded}`, text: tokenOf(row.id) };
  const paths = listRead(files, former);
  // A template that says nothing to the home costs nothing.
  if (paths.length === 0 && guard === undefined) return;
  await placeFiles({
    running,
    reads: [...new Set([...reads, ...paths])],
    ...(guard === undefined ? {} : { guard }),
    plan: (home) => planHome({ wanted: files, former, home }),
    signal,
  });
}
