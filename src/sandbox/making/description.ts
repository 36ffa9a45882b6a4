import type { AgentAdapter } from "../../agent/agent.ts";
import { hostsIn } from "../../agent/regions.ts";
import type { AgentRegistry } from "../../agent/registry.ts";
import { CattlegridError } from "../../errors/error.ts";
import { sandboxCreateSchema, type SandboxCreate } from "../../protocol/sandbox.ts";
import type { ResolvedTemplate } from "../../protocol/template.ts";
import type { StoredSpecification, TemplateMaking } from "../../store/sandbox-rows.ts";
import { applyTemplate } from "../../template/narrowing.ts";
import type { Templates, TemplateUse } from "../../template/templates.ts";
import type { WorkspaceSurroundings } from "../../workspace/workspace.ts";
import { compileConfiguration } from "../configuration/agent-configuration.ts";
import { importedOf, withImported } from "../configuration/imports.ts";
import { checkServers } from "../configuration/server-checks.ts";
import { specify, type Wanted } from "./creation.ts";
import { holdable } from "./demands.ts";
import type { GateRequest, Gates } from "../egress/gates.ts";
import type { PresentCapabilities, SandboxProvider } from "../provider.ts";
import { findAgent, findProvider } from "../registry.ts";
import { checkToolchain } from "./toolchains.ts";

const CAPABILITIES_TIMEOUT_MS = 30_000;

export interface DescriptionOptions {
  providers: readonly SandboxProvider[];
  agents: AgentRegistry;
  gates: Pick<Gates, "prepare" | "compile">;
  surroundings: WorkspaceSurroundings;
  /** Default: there are none. */
  templates?: Pick<Templates, "resolve" | "requireSecrets">;
}

/** What a sandbox is going to be. */
export interface Description {
  agent: AgentAdapter;
  provider: SandboxProvider;
  specification: StoredSpecification;
}

/** A template's part in it. */
export interface TemplatePart {
  template: ResolvedTemplate;
  making: TemplateMaking;
}

/** The template that is asked for, as it counts for this sandbox; undefined when none is. Throws what `resolve` does. */
export async function resolveChoice(
  { templates }: DescriptionOptions,
  request: SandboxCreate,
  use: TemplateUse,
): Promise<TemplatePart | undefined> {
  const { template: choice, agent } = request;
  if (choice === undefined) return undefined;
  if (templates === undefined) {
    throw new CattlegridError("TEMPLATE_UNKNOWN", "This engine has no templates.");
  }
  const { loaded, resolved } = await templates.resolve(choice, { agent, ...use });
  const { texts: _texts, ...kept } = loaded;
  return { template: resolved, making: { template: kept, request } };
}

/** Everything that could be refused at the first start is refused here. */
export async function describeSandbox(
  options: DescriptionOptions,
  id: string,
  { part: said, ...wanted }: Wanted & { part: TemplatePart | undefined },
): Promise<Description> {
  const imported = importedOf(wanted.request);
  const part = said && { ...said, template: withImported(said.template, imported) };
  const asked = part === undefined ? wanted.request : narrow(part, wanted.request);
  if (asked.agent === undefined) throw agentMissing(asked.name);
  const agent = findAgent(options.agents, asked.agent);
  const provider = findProvider(options.providers, asked.provider);
  for (const path of asked.toolchains ?? []) {
    await checkToolchain(path, options.surroundings, wanted.workspace ?? undefined);
  }
  if (part !== undefined) requireBase(part.template, provider);
  const capabilities = await provider.capabilities(AbortSignal.timeout(CAPABILITIES_TIMEOUT_MS));
  const request = part === undefined ? asked : relax(asked, part.template, capabilities);
  const gateRequest = describeNewGate({ id, request, agent }, part?.template);
  const gate = options.gates.prepare(gateRequest);
  const offer = { provider: provider.id, capabilities };
  const specification = specify({ ...wanted, request }, { agent, offer, gate });
  const templated = { ...specification, ...part };
  const { credentials } = agent;
  checkServers(part?.template, { credentials, policy: () => options.gates.compile(gateRequest) });
  // What its agent cannot be told is refused before there is a sandbox.
  compileConfiguration({ id, specification: templated }, agent);
  return { agent, provider, specification: templated };
}

function describeNewGate(
  { id, request, agent }: { id: string; request: SandboxCreate; agent: AgentAdapter },
  above: ResolvedTemplate | undefined,
): GateRequest {
  return {
    sandboxId: id,
    sandboxName: request.name ?? agent.id,
    ...request.policy,
    allow: request.allow ?? [],
    deny: request.deny ?? [],
    above,
    hosts: hostsIn(agent, request.regions),
    mirrors: request.mirrors ?? null,
  };
}

/**
 * SECURITY: what a template says goes the way of what a request says, and some of it becomes an argument or a directory's name;
 * so it is held to the same form.
 */
function narrow({ template, making }: TemplatePart, request: SandboxCreate): SandboxCreate {
  const { content } = making.template;
  const read = sandboxCreateSchema.safeParse(applyTemplate({ template, content }, request));
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  const where = issue?.path.map(String).join(".") ?? "";
  const message = `The template ${template.name} gives its sandbox a ${where} that cannot be: ${issue?.message ?? ""}.`;
  throw new CattlegridError("TEMPLATE_INVALID", message, {
    hint: `See what it comes to with \`cattlegrid template show ${template.name} --resolved\`.`,
  });
}

/** A template that does not insist on its limits gets those that this machine can hold. */
function relax(
  request: SandboxCreate,
  { limitsRequired }: ResolvedTemplate,
  capabilities: PresentCapabilities,
): SandboxCreate {
  if (limitsRequired || request.limits === undefined) return request;
  return { ...request, limits: holdable(request.limits, capabilities) };
}

function agentMissing(name: string | undefined): CattlegridError {
  if (name === undefined) return new CattlegridError("REQUEST_INVALID", "No agent was named.");
  return new CattlegridError(
    "SANDBOX_NOT_FOUND",
    `There is no sandbox ${name}, and no agent was named to make it for.`,
  );
}

/** Throws PROVIDER_UNSUPPORTED for a root file system of the template's own where sandboxes have the provider's. */
function requireBase({ name, base }: ResolvedTemplate, { id, declared }: SandboxProvider): void {
  if (base === "host" || declared.layers) return;
  const [kind = ""] = Object.keys(base);
  const message = `Template ${name} has a base of its own (${kind}), and sandboxes of the provider ${id} have the provider's.`;
  throw new CattlegridError("PROVIDER_UNSUPPORTED", message, {
    hint: "Use another --provider, or leave out `base` and make the provider's sandboxes from such an image, as its page says.",
  });
}
