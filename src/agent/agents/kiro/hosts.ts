import type { AgentHost } from "../../agent.ts";

/** A region in which Kiro keeps profiles and runs models. */
export type KiroRegion = "us-east-1" | "eu-central-1";

interface RegionNames {
  signIn: readonly string[];
  inference: readonly string[];
  management: readonly string[];
}

const REGIONS: Readonly<Record<KiroRegion, RegionNames>> = {
  "us-east-1": {
    signIn: ["oidc.us-east-1.amazonaws.com"],
    inference: ["runtime.us-east-1.kiro.dev", "q.us-east-1.amazonaws.com"],
    management: ["management.us-east-1.kiro.dev", "codewhisperer.us-east-1.amazonaws.com"],
  },
  "eu-central-1": {
    signIn: ["oidc.eu-central-1.amazonaws.com"],
    inference: ["runtime.eu-central-1.kiro.dev", "q.eu-central-1.amazonaws.com"],
    management: ["management.eu-central-1.kiro.dev"],
  },
};

export const KIRO_REGIONS = Object.keys(REGIONS) as readonly KiroRegion[];

const EVERYWHERE: readonly AgentHost[] = [
  { host: "cli.kiro.dev", reason: "the installer's script" },
  { host: "prod.download.cli.kiro.dev", reason: "the program the installer downloads" },
  {
    host: "prod.us-east-1.auth.desktop.kiro.dev",
    reason: "sign-in with Google or GitHub, and renewing it",
  },
];

/**
 * Exact names. SECURITY: the documented `*.amazonaws.com` would open every bucket of S3, and so a way out for
 * anything the agent can read. Telemetry is left out on purpose: it is refused at once, which Kiro takes well,
 * whereas it waits 15 seconds for a host that stays silent.
 */
export function hostsOf(regions: readonly KiroRegion[]): readonly AgentHost[] {
  return [...EVERYWHERE, ...regions.flatMap(hostsOfRegion)];
}

function hostsOfRegion(region: KiroRegion): AgentHost[] {
  const { signIn, inference, management } = REGIONS[region];
  const explain = (hosts: readonly string[], reason: string): AgentHost[] =>
    hosts.map((host) => ({ host, reason: `${reason} (${region})` }));
  return [
    ...explain(signIn, "sign-in with Builder ID or Identity Center, renewed every hour"),
    ...explain(inference, "the model's answers"),
    ...explain(management, "profiles, usage limits and the list of models"),
  ];
}
