import { isAbsolute, normalize } from "node:path";
import type { AgentAdapter } from "../agent/agent.ts";
import { CattlegridError } from "../errors/error.ts";
import type { SandboxCreate } from "../protocol/sandbox.ts";
import type { SandboxRow, StoredSpecification } from "../store/sandbox-rows.ts";
import { readLifetime } from "./lifetime.ts";
import type { PresentCapabilities } from "./provider.ts";

export interface Wanted {
  request: SandboxCreate;
  /** Real path, null for none; undefined when the request leaves it open. */
  workspace: string | null | undefined;
}

export interface Given {
  agent: AgentAdapter;
  capabilities: PresentCapabilities;
  /** The policy's preset, as it was compiled. */
  preset: string;
}

/** What a new sandbox keeps. Throws when the provider or the agent rules a wish out. */
export function specify(
  { request, workspace }: Wanted,
  { agent, capabilities, preset }: Given,
): StoredSpecification {
  const file = request.policy?.file;
  checkEnvironment(request, agent);
  return {
    workspace: workspace ? { path: workspace, mode: chooseMode(request, capabilities) } : null,
    isolation: chooseIsolation(request, capabilities),
    ...chooseVersion(request, agent),
    environment: request.environment ?? {},
    policy: { preset, ...(file === undefined ? {} : { file }) },
    ...chooseRegions(request),
    allow: request.allow ?? [],
    deny: request.deny ?? [],
    limits: checkLimits(request, capabilities),
    toolchains: request.toolchains ?? [],
    ...(request.gitIdentity === undefined ? {} : { gitIdentity: request.gitIdentity }),
    mirrors: request.mirrors ?? null,
    ...describeKeeping(request),
    ...(request.unprotect === undefined ? {} : { unprotected: request.unprotect.map(checkLifted) }),
    protectedPaths: [],
    layers: [],
  };
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

function describeKeeping(
  request: SandboxCreate,
): Pick<StoredSpecification, "removeAfterSession" | "lifetime" | "origins"> {
  return {
    removeAfterSession: request.removeAfterSession ?? false,
    lifetime: readLifetime(request),
    origins: request.origins ?? {},
  };
}

function chooseMode(
  request: SandboxCreate,
  capabilities: PresentCapabilities,
): NonNullable<SandboxCreate["mode"]> {
  const mode = request.mode ?? "direct";
  if (capabilities.workspaceModes.includes(mode)) return mode;
  const message = `The workspace mode ${mode} is not available with this sandbox provider.`;
  throw new CattlegridError("WORKSPACE_MODE_UNAVAILABLE", message);
}

function chooseIsolation(
  request: SandboxCreate,
  capabilities: PresentCapabilities,
): StoredSpecification["isolation"] {
  const isolation = request.isolation ?? capabilities.isolation[0];
  if (isolation === undefined) {
    const message = "This machine offers no isolation that a sandbox can use.";
    throw new CattlegridError("ISOLATION_UNAVAILABLE", message);
  }
  if (capabilities.isolation.includes(isolation)) return isolation;
  const lacking = capabilities.lacking?.find((each) => each.isolation === isolation);
  if (lacking !== undefined) {
    throw new CattlegridError("ISOLATION_UNAVAILABLE", lacking.why, { hint: lacking.remedy });
  }
  const message = `This sandbox provider does not offer the isolation ${isolation}.`;
  throw new CattlegridError("PROVIDER_UNSUPPORTED", message, {
    hint: `Use --isolation ${capabilities.isolation.join(" or ")}.`,
  });
}

const LIMITS = [
  { value: "cpus", limit: "cpus", name: "cpus" },
  { value: "memoryBytes", limit: "memory", name: "memory" },
  { value: "pids", limit: "pids", name: "the number of processes" },
] as const;

function checkLimits(
  request: SandboxCreate,
  capabilities: PresentCapabilities,
): StoredSpecification["limits"] {
  const limits = request.limits ?? {};
  const wanted = LIMITS.filter(({ value }) => limits[value] !== undefined);
  const unmet = wanted.filter(({ limit }) => !capabilities.limits.includes(limit));
  if (unmet.length === 0) return limits;
  const names = unmet.map(({ name }) => name).join(" and ");
  const message = `A limit on ${names} cannot be enforced here by this sandbox provider.`;
  throw new CattlegridError("LIMITS_UNAVAILABLE", message);
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
    ["its allow rules", stored.allow, request.allow],
    ["its deny rules", stored.deny, request.deny],
    ["its limits", stored.limits, request.limits],
    ["its unprotected paths", stored.unprotected, request.unprotect?.map(checkLifted)],
    ["its toolchains", stored.toolchains, request.toolchains],
    ["its idle stop", stored.lifetime?.idleStopMs, request.idleStopMs],
    ["its maximum age", stored.lifetime?.maxAgeMs, request.maxAgeMs],
    ["its environment", stored.environment, request.environment],
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
