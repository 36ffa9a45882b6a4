import { isAbsolute, normalize } from "node:path";
import type { AgentAdapter } from "../agent/agent.ts";
import { CattlegridError } from "../errors/error.ts";
import type { SandboxCreate } from "../protocol/sandbox.ts";
import type { SandboxRow, StoredSpecification } from "../store/sandbox-rows.ts";
import { readLifetime } from "./lifetime.ts";
import { requireCapabilities, type Offer } from "./demands.ts";
import type { PreparedGate } from "./gates.ts";
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
  gate: Pick<PreparedGate, "preset" | "demands">;
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
    { isolation, mode: workspaceMode, limits: toLimits(limits), egress: gate.demands },
    offer,
  );
  return { workspace: workspace ? { path: workspace, mode } : null, isolation, egress, limits };
}

/** Throws REQUEST_INVALID unless the path lies in the workspace. */
function checkLifted(path: string): string {
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
  if (install?.version !== undefined) return { agentVersion };
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

/** Throws NAME_IN_USE, naming the value, when `row` was created with another value than is wanted now. */
export function checkSame(row: SandboxRow, wanted: Wanted): void {
  for (const [what, stored, asked] of compare(row, wanted)) {
    if (isOpen(asked) || canonical(asked) === canonical(stored)) continue;
    // Values of the environment and texts of policies are not for messages.
    const values = UNSHOWN.has(what) ? "differs" : `is ${show(stored)}, not ${show(asked)}`;
    const message = `The sandbox ${row.name} exists already, and ${what} ${values}.`;
    throw new CattlegridError("NAME_IN_USE", message, { details: { name: row.name, value: what } });
  }
}

const UNSHOWN: ReadonlySet<string> = new Set(["its environment", "its policy file"]);

function compare(row: SandboxRow, { request, workspace }: Wanted): [string, unknown, unknown][] {
  const stored = row.specification;
  return [
    ["its agent", row.agent, request.agent],
    ["its agent's version", stored.agentVersion, request.agentVersion],
    ["its workspace", stored.workspace?.path ?? null, workspace],
    ["its workspace mode", stored.workspace?.mode, workspace === null ? undefined : request.mode],
    ["its provider", row.provider, request.provider],
    ["its isolation", stored.isolation, request.isolation],
    ["its policy", stored.policy.preset, request.policy?.preset],
    ["its policy file", stored.policy.file?.text, request.policy?.file?.text],
    ["its regions", stored.regions, request.regions],
    ["its login profile", stored.loginProfile, request.loginProfile],
    ["its allow rules", stored.allow, request.allow],
    ["its deny rules", stored.deny, request.deny],
    ["its limits", stored.limits, request.limits],
    ["its unprotected paths", stored.unprotected, request.unprotect?.map(checkLifted)],
    ["its toolchains", stored.toolchains, request.toolchains],
    ["its idle stop", stored.lifetime?.idleStopMs, request.idleStopMs],
    ["its maximum age", stored.lifetime?.maxAgeMs, request.maxAgeMs],
    ["its environment", stored.environment, request.environment],
    ["its secrets", stored.bindings, request.bindings],
    ["its removal after the session", stored.removeAfterSession, request.removeAfterSession],
  ];
}

/** Absent and empty wishes are no wishes. Null is one: no workspace. */
function isOpen(asked: unknown): boolean {
  if (asked === undefined) return true;
  return typeof asked === "object" && asked !== null && Object.keys(asked).length === 0;
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return JSON.stringify(value.map(String).sort());
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "";
  return JSON.stringify(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function show(value: unknown): string {
  if (value === null || value === undefined) return "none";
  return typeof value === "string" ? value : JSON.stringify(value);
}
