import { isAbsolute, normalize } from "node:path";
import type { AgentAdapter } from "../../agent/agent.ts";
import { CattlegridError } from "../../errors/error.ts";
import type { SandboxCreate } from "../../protocol/sandbox.ts";
import type { StoredSpecification } from "../../store/sandbox-rows.ts";
import { readLifetime } from "../life/lifetime.ts";
import { requireCapabilities, type Offer } from "./demands.ts";
import type { PreparedGate } from "../egress/gates.ts";
import { toLimits } from "./specification.ts";

export interface Wanted {
  request: SandboxCreate;
  /** Real path, null for none; undefined when the request leaves it open. */
  workspace: string | null | undefined;
}

export interface Given {
  agent: AgentAdapter;
  offer: Offer;
  /** Of the policy, as it was compiled. */
  gate: Pick<PreparedGate, "preset" | "demands" | "hasMirrors">;
}

/** What a new sandbox keeps. Throws when the provider or the agent rules a wish out. */
export function specify(
  { request, workspace }: Wanted,
  { agent, offer, gate }: Given,
): StoredSpecification {
  const file = request.policy?.file;
  checkEnvironment(request, agent);
  return {
    ...chooseBoundary({ request, workspace }, { offer, gate }),
    ...chooseVersion(request, agent),
    environment: request.environment ?? {},
    ...(request.bindings === undefined ? {} : { bindings: request.bindings }),
    policy: { preset: gate.preset, ...(file === undefined ? {} : { file }) },
    ...chooseRegions(request),
    ...chooseProfile(request, agent),
    allow: request.allow ?? [],
    deny: request.deny ?? [],
    toolchains: request.toolchains ?? [],
    ...(request.gitIdentity === undefined ? {} : { gitIdentity: request.gitIdentity }),
    mirrors: request.mirrors ?? null,
    ...describeKeeping(request),
    ...chooseFiles(request, offer),
    ...(request.unprotect === undefined ? {} : { unprotected: request.unprotect.map(checkLifted) }),
    protectedPaths: [],
    layers: [],
  };
}

/** What the provider has to give; throws what it does not. */
function chooseBoundary(
  { request, workspace }: Wanted,
  { offer, gate }: Omit<Given, "agent">,
): Pick<StoredSpecification, "workspace" | "isolation" | "egress" | "limits"> {
  const { isolation: isolations, egress, workspaceModes: modes } = offer.capabilities;
  const { limits = {}, isolation = isolations[0] ?? "namespaces" } = request;
  const mode = request.mode ?? (modes.includes("direct") ? "direct" : modes[0]) ?? "direct";
  const workspaceMode = workspace ? mode : undefined;
  requireCapabilities(
    {
      isolation,
      mode: workspaceMode,
      limits: toLimits(limits),
      egress: gate.demands,
      hasMirrors: gate.hasMirrors,
    },
    offer,
  );
  const files = offer.capabilities.workspaceFiles === "copied" ? { files: "copied" as const } : {};
  const stored = workspace ? { path: workspace, mode, ...files } : null;
  return { workspace: stored, isolation, egress, limits };
}

/** Throws REQUEST_INVALID where nothing is sent: whoever names files means something by it. */
function chooseFiles(
  { include = [] }: SandboxCreate,
  { provider, capabilities }: Offer,
): Pick<StoredSpecification, "include"> {
  if (include.length === 0) return {};
  if (capabilities.workspaceFiles === "copied") return { include };
  const message = `The sandbox provider ${provider} shares the workspace with this machine: no files are sent.`;
  throw new CattlegridError("REQUEST_INVALID", message, { hint: "Leave out --include." });
}

/** Throws REQUEST_INVALID unless the path lies in the workspace. */
export function checkLifted(path: string): string {
  const normal = normalize(path).replace(/\/$/, "");
  if (!isAbsolute(normal) && normal !== "." && normal.split("/")[0] !== "..") return normal;
  throw new CattlegridError("REQUEST_INVALID", `${path} is no path below the workspace.`, {
    hint: "Name it relative to the workspace, such as --unprotect .vscode/tasks.json.",
  });
}

function chooseVersion(
  { agentVersion }: SandboxCreate,
  { install, title }: AgentAdapter,
): Pick<StoredSpecification, "agentVersion"> {
  if (agentVersion === undefined) return {};
  if (install?.version !== undefined || install?.takesVersion) return { agentVersion };
  const message = `${title} cannot be installed by version: its installer takes the newest.`;
  throw new CattlegridError("AGENT_VERSION_UNAVAILABLE", message);
}

function chooseRegions({ regions }: SandboxCreate): Pick<StoredSpecification, "regions"> {
  return regions === undefined ? {} : { regions };
}

function chooseProfile(
  { loginProfile }: SandboxCreate,
  { keptSignIn }: AgentAdapter,
): Pick<StoredSpecification, "loginProfile"> {
  // A setting that holds for every agent says nothing to one that nobody signs in to.
  return loginProfile === undefined || keptSignIn === undefined ? {} : { loginProfile };
}

function describeKeeping(
  request: SandboxCreate,
): Pick<StoredSpecification, "removeAfterSession" | "lifetime" | "origins"> {
  return {
    removeAfterSession: request.removeAfterSession ?? false,
    lifetime: readLifetime(request),
    origins: request.origins ?? {},
  };
}

/** SECURITY: the environment is stored, so a credential must never come this way. */
function checkEnvironment(request: SandboxCreate, agent: AgentAdapter): void {
  const secret = agent.credentials.find((name) => request.environment?.[name] !== undefined);
  if (secret === undefined) return;
  throw new CattlegridError("ENVIRONMENT_INVALID", `${secret} is a credential of ${agent.id}.`, {
    hint: `Pass it on from your own environment with -e ${secret}; it is then never stored.`,
  });
}
