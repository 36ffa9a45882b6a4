import type { EgressPolicy } from "../../egress/policy/policy.ts";
import { addressPolicyOf } from "../egress/address-policy.ts";
import { CattlegridError } from "../../errors/error.ts";
import type {
  Egress,
  Isolation,
  Limit,
  PresentCapabilities,
  SandboxSpecification,
  WorkspaceMode,
} from "../provider.ts";

/** What a sandbox asks of whichever provider makes it. */
export interface Demands {
  /** Absent: what the provider states first. */
  isolation?: Isolation | undefined;
  mode?: WorkspaceMode | undefined;
  limits: SandboxSpecification["limits"];
  egress: Egress;
  /** Whether connections are to be led elsewhere. Default: false. */
  hasMirrors?: boolean;
}

export interface Offer {
  provider: string;
  capabilities: PresentCapabilities;
}

/** Weakest first. */
const EGRESS: readonly Egress[] = ["none", "cooperative", "address", "enforced"];

const LIMITS: readonly { value: keyof Demands["limits"]; limit: Limit; name: string }[] = [
  { value: "cpus", limit: "cpus", name: "cpus" },
  { value: "memoryBytes", limit: "memory", name: "memory" },
  { value: "pids", limit: "pids", name: "the number of processes" },
];

/** SECURITY: what is not stated is refused; nothing weaker runs in its place. Throws a code for each kind of demand. */
export function requireCapabilities(demands: Demands, offer: Offer): void {
  requireIsolation(demands, offer);
  requireMode(demands, offer);
  requireLimits(demands, offer);
  requireEgress(demands, offer);
}

/** What the backend must be able to do to carry a policy. Names, ports and protocols are our gateway's to judge. */
export function demandedEgress(policy: EgressPolicy): Egress {
  return addressPolicyOf(policy) === undefined ? "enforced" : "address";
}

export function requireEgress(
  { egress, hasMirrors = false }: Pick<Demands, "egress" | "hasMirrors">,
  { provider, capabilities }: { provider: string; capabilities: { egress: Egress } },
): void {
  if (EGRESS.indexOf(capabilities.egress) >= EGRESS.indexOf(egress)) return;
  if (hasMirrors) throw refuseMirrors(provider, capabilities.egress);
  const what =
    egress === "enforced" ? "judges by name, port and protocol" : "needs somebody to hold it";
  const message = `The egress policy ${what}; of egress the sandbox provider ${provider} states \`${capabilities.egress}\`.`;
  throw new CattlegridError("PROVIDER_UNSUPPORTED", message, {
    hint:
      capabilities.egress === "address"
        ? "Say --policy locked for nothing, CIDR:*,opaque rules on it for ranges, or --policy open for everything, which nobody then holds or records; or use a provider whose egress is `enforced`, such as the default one."
        : "Use a provider whose egress is `enforced`, such as the default one.",
  });
}

/** Nobody would lead its connections there, and the names themselves would be dialled in silence. */
function refuseMirrors(provider: string, egress: Egress): CattlegridError {
  const message = `Mirrors need a gateway of ours: of egress the sandbox provider ${provider} states \`${egress}\`, and its sandboxes dial by themselves.`;
  return new CattlegridError("PROVIDER_UNSUPPORTED", message, {
    hint: "Unset CATTLEGRID_MIRRORS, or take `mirrors` out of config.yaml, for this sandbox; or use a provider whose egress is `enforced`.",
  });
}

function requireIsolation({ isolation }: Demands, { provider, capabilities }: Offer): void {
  if (capabilities.isolation.length === 0) {
    const message = `The sandbox provider ${provider} offers no isolation on this machine.`;
    throw new CattlegridError("ISOLATION_UNAVAILABLE", message);
  }
  if (isolation === undefined || capabilities.isolation.includes(isolation)) return;
  const lacking = capabilities.lacking?.find((each) => each.isolation === isolation);
  if (lacking !== undefined) {
    throw new CattlegridError("ISOLATION_UNAVAILABLE", lacking.why, { hint: lacking.remedy });
  }
  const message = `The sandbox provider ${provider} does not offer the isolation ${isolation}.`;
  const offered = capabilities.isolation.filter((each) => each !== "none");
  throw new CattlegridError("PROVIDER_UNSUPPORTED", message, {
    hint:
      offered.length === 0
        ? "Leave out --isolation."
        : `Use --isolation ${offered.join(" or ")}, or another --provider.`,
  });
}

function requireMode({ mode }: Demands, { provider, capabilities }: Offer): void {
  if (mode === undefined || capabilities.workspaceModes.includes(mode)) return;
  const why =
    capabilities.workspaceFiles === "copied"
      ? ": its sandboxes have a copy of the workspace, on files of their own"
      : "";
  const message = `The workspace mode ${mode} is not available with the sandbox provider ${provider}${why}.`;
  throw new CattlegridError("WORKSPACE_MODE_UNAVAILABLE", message, {
    hint: `Use --mode ${capabilities.workspaceModes.join(" or ")}, or another --provider.`,
  });
}

/** Those of the limits that the provider can hold. */
export function holdable<T extends Partial<Record<keyof Demands["limits"], unknown>>>(
  limits: T,
  capabilities: Pick<PresentCapabilities, "limits">,
): T {
  const held = LIMITS.filter(({ limit }) => capabilities.limits.includes(limit));
  const names: readonly string[] = held.map(({ value }) => value);
  return Object.fromEntries(Object.entries(limits).filter(([name]) => names.includes(name))) as T;
}

function requireLimits({ limits }: Demands, { provider, capabilities }: Offer): void {
  const unmet = LIMITS.filter(
    ({ value, limit }) => limits[value] !== undefined && !capabilities.limits.includes(limit),
  );
  if (unmet.length === 0) return;
  const names = unmet.map(({ name }) => name).join(" and ");
  const message = `The sandbox provider ${provider} cannot enforce a limit on ${names} on this machine.`;
  throw new CattlegridError("LIMITS_UNAVAILABLE", message);
}
