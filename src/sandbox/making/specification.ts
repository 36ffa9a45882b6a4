import type { AgentAdapter } from "../../agent/agent.ts";
import type { SandboxRow } from "../../store/sandbox-rows.ts";
import type { SandboxSpecification } from "../provider.ts";

export interface StartingParts {
  protectedPaths: readonly string[];
  maskedPaths: readonly string[];
  layers: readonly string[];
  certificates: readonly string[];
  /** What a template makes of the agent's own environment. */
  environment?: Readonly<Record<string, string>>;
  /** The host directory that is the workspace inside, when that is not the user's own. */
  source?: string;
}

/** What the provider gets to start a stored sandbox. */
export function toSpecification(
  row: SandboxRow,
  agent: AgentAdapter,
  parts: StartingParts,
): SandboxSpecification {
  const stored = row.specification;
  const { name, email } = stored.gitIdentity ?? {};
  const identity = {
    ...(name === undefined ? {} : { name }),
    ...(email === undefined ? {} : { email }),
  };
  return {
    id: row.id,
    name: row.name,
    isolation: stored.isolation,
    ...describeWorkspace(stored.workspace, parts),
    protectedPaths: parts.protectedPaths,
    maskedPaths: parts.maskedPaths,
    ...(stored.base && { base: stored.base }),
    homeLayers: parts.layers,
    toolchains: stored.toolchains,
    environment: { ...agent.environment, ...parts.environment, ...stored.environment },
    ...(stored.gitIdentity === undefined ? {} : { gitIdentity: identity }),
    certificates: parts.certificates,
    limits: toLimits(stored.limits),
  };
}

function describeWorkspace(
  workspace: SandboxRow["specification"]["workspace"],
  { source }: StartingParts,
): Pick<SandboxSpecification, "workspace"> {
  if (workspace === null) return {};
  const { path, mode } = workspace;
  return { workspace: { path, mode, ...(source === undefined ? {} : { source }) } };
}

export function toLimits(
  limits: SandboxRow["specification"]["limits"],
): SandboxSpecification["limits"] {
  const { cpus, memoryBytes, pids } = limits;
  return {
    ...(cpus === undefined ? {} : { cpus }),
    ...(memoryBytes === undefined ? {} : { memoryBytes }),
    ...(pids === undefined ? {} : { pids }),
  };
}
