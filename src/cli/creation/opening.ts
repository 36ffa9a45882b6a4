import { CattlegridError } from "../../errors/error.ts";
import type { AgentSummary } from "../../protocol/agent.ts";
import type { Sandbox, SandboxCreate, SandboxStart } from "../../protocol/sandbox.ts";
import { chooseAgent, findSandbox, readAgent } from "../agent-choice.ts";
import { parseDuration } from "./amount.ts";
import { type CreationFlags, describeCreation, keepAsked, resolveWorkspace } from "./creation.ts";
import { type GivenEnvironment, takeEnvironment } from "./environment.ts";
import { listVariables } from "./environment-file.ts";
import { readMirrors } from "../../client/mirrors.ts";
import { giveAllSettings, giveSettings } from "./provider-settings.ts";
import { readSettings, type Settings } from "../settings.ts";
import { startSandbox } from "./start-progress.ts";
import { pickWhatToRun } from "../template/picker.ts";
import { postTemplated } from "../template/templated-request.ts";
import type { VerbContext } from "../verb.ts";

export type SandboxTarget = Pick<SandboxCreate, "agent" | "agentVersion" | "workspace">;

export interface OpeningWish {
  verb: string;
  operands: readonly string[];
  flags: CreationFlags;
  settings: Settings;
  /** Whether a person may be asked. */
  asks: boolean;
  /** Which agents can be picked from the list; default: all. */
  offers?: (agent: AgentSummary) => boolean;
  /** More of what is asked of a new sandbox, once its agent and workspace are known. */
  extra?: (target: SandboxTarget) => Partial<SandboxCreate>;
}

export interface OpenedSandbox {
  sandbox: Sandbox;
  given: GivenEnvironment;
}

/** Finds or makes the sandbox that a command line speaks of. */
export async function openSandbox(wish: OpeningWish, context: VerbContext): Promise<OpenedSandbox> {
  const { api, caller } = context;
  const { flags, extra } = wish;
  const { template, ...target } = await findTarget(wish, context);
  const settings = await addProjectSettings(wish.settings, target, caller);
  const given = await takeEnvironment(await listVariables(flags, caller), caller.environment, api);
  const { environment } = given;
  const { verb } = wish;
  const described = await describeCreation(flags, {
    caller,
    settings,
    environment,
    signal: api.signal,
    verb,
    template,
  });
  const request: SandboxCreate = { ...described, ...target, ...extra?.(target) };
  const sources = { environment: caller.environment, settings };
  // Which provider a template names is known where it is read; what is wrong with that one its start says.
  if (request.provider === undefined && request.template !== undefined) {
    await giveAllSettings(api, sources);
  } else await giveSettings(api, request.provider, sources);
  const asked = template === undefined ? flags : { ...flags, template };
  return { sandbox: await create(request, { flags: asked, asks: wish.asks }, context), given };
}

/** Only a workspace that a new sandbox may be made for has a say. */
async function addProjectSettings(
  settings: Settings,
  { workspace }: SandboxTarget,
  caller: VerbContext["caller"],
): Promise<Settings> {
  return typeof workspace === "string" ? readSettings(caller, { workspace }) : settings;
}

/**
 * A sandbox that exists was made with what was said then. What merely stands in for flags, and variables, which then go
 * with the session, do not have to be the same now.
 */
async function create(
  request: SandboxCreate,
  { flags, asks }: { flags: CreationFlags; asks: boolean },
  context: VerbContext,
): Promise<Sandbox> {
  try {
    return await postTemplated(request, { ...context, asks });
  } catch (error) {
    if (!CattlegridError.is(error) || !mayBeStandIn(error) || request.ephemeral === true) {
      throw error;
    }
    return postTemplated(keepAsked(request, flags), { ...context, asks });
  }
}

/**
 * Whether a refusal may be about what nobody asked for in this very command. What a template says of a variable stands: a
 * session would have the other value.
 */
function mayBeStandIn({ code, details }: CattlegridError): boolean {
  if (code === "NAME_IN_USE") return true;
  return code === "TEMPLATE_FIXED" && !String(details["setting"]).startsWith("the variable ");
}

/** What a command line speaks of, and the template that a person picked instead of naming anything. */
interface Target extends SandboxTarget {
  template?: string;
}

/** An existing name brings agent and workspace from its record, so that it can be used from any directory. */
async function findTarget(
  { verb, operands, flags, settings, asks, offers }: OpeningWish,
  { api, caller }: VerbContext,
): Promise<Target> {
  const { name } = flags;
  const template = flags.template ?? settings.flags["template"] ?? "";
  const [agent, workspace] = readOperands(operands, template);
  const isThere = name !== undefined && (await findSandbox(api, name)) !== undefined;
  const path =
    isThere && workspace === undefined
      ? {}
      : { workspace: await resolveWorkspace(workspace, caller.directory) };
  if (agent !== undefined) return { ...readAgent(agent), ...path };
  if (isThere || template !== "") return path;
  const { agents } = await api.get<{ agents: readonly AgentSummary[] }>("/v1/agents");
  const offered = agents.filter(offers ?? (() => true));
  // Whoever says --template= wants none.
  if (flags.template !== undefined) {
    return { agent: await chooseAgent(offered, { caller, verb, asks }), ...path };
  }
  const picking = { caller, verb, asks, workspace: path.workspace };
  return { ...(await pickWhatToRun(offered, api, picking)), ...path };
}

/** A template names its agent, so that one word may be the workspace; agents' names have no slash. */
function readOperands(
  operands: readonly string[],
  template: string,
): readonly string[] | [undefined, string] {
  const [first = "", second] = operands;
  const isPath = template !== "" && second === undefined && /^\.{1,2}$|\//.test(first);
  return isPath ? [undefined, first] : operands;
}

export interface StartWish {
  settings: Settings;
  installTimeout: string | undefined;
  /** Whether what it wants of denied names is to be seen. */
  learn?: boolean;
}

/** Starts the sandbox unless it runs. */
export async function ensureRunning(
  sandbox: Sandbox,
  { settings, installTimeout, learn }: StartWish,
  { api, caller }: VerbContext,
): Promise<Sandbox> {
  const timeout = installTimeout ?? settings.flags["install-timeout"];
  const mirrors = await readMirrors(caller, settings);
  const request: SandboxStart = {
    ...(mirrors === undefined ? {} : { mirrors }),
    ...(learn === true ? { learn } : {}),
    ...(timeout === undefined
      ? {}
      : { installTimeoutMs: parseDuration(timeout, "--install-timeout") }),
  };
  if (sandbox.status === "running") return sandbox;
  await giveSettings(api, sandbox.provider, { environment: caller.environment, settings });
  return startSandbox(api, sandbox.id, { caller, request });
}
