import type { AgentHost } from "../../agent.ts";

interface RegionNames {
  /** Of Builder ID (`us-east-1`) and IAM Identity Center. */
  signIn: readonly string[];
  /** Absent where Kiro keeps no profiles and runs no models: there is only a directory of people. */
  service?: { inference: readonly string[]; management: readonly string[] };
}

/** Profiles of every commercial region are listed there. */
const PROFILES = "codewhisperer.us-east-1.amazonaws.com";

/**
 * Kiro's regions. A profile's region is where its models run; the region of the organisation's directory may be another.
 * GovCloud: the names of the older service, plain and FIPS, as its clients have them; no newer ones are known.
 */
const REGIONS: Readonly<Record<string, RegionNames>> = {
  "us-east-1": commercial("us-east-1"),
  "eu-central-1": commercial("eu-central-1"),
  "us-gov-east-1": government("us-gov-east-1"),
  "us-gov-west-1": government("us-gov-west-1"),
  ...Object.fromEntries(
    [
      "us-east-2",
      "us-west-1",
      "us-west-2",
      "ca-central-1",
      "eu-north-1",
      "eu-west-1",
      "eu-west-2",
      "eu-west-3",
      "ap-northeast-1",
      "ap-northeast-2",
      "ap-south-1",
      "ap-southeast-1",
      "ap-southeast-2",
      "sa-east-1",
    ].map((region) => [region, { signIn: [identityHost(region)] }]),
  ),
};

/** Opened when no region is chosen. */
export const DEFAULT_REGIONS = ["us-east-1", "eu-central-1"] as const;

const INSTALLER: readonly AgentHost[] = [
  { host: "cli.kiro.dev", reason: "the installer's script" },
  { host: "prod.download.cli.kiro.dev", reason: "the program the installer downloads" },
];

const SOCIAL_SIGN_IN: AgentHost = {
  host: "prod.us-east-1.auth.desktop.kiro.dev",
  reason: "sign-in with Google or GitHub, and renewing it",
};

/**
 * Exact names, each once. SECURITY: the documented `*.amazonaws.com` would open every bucket of S3, and so a way out for
 * anything the agent can read. Telemetry is left out on purpose: it is refused at once, which Kiro takes well,
 * whereas it waits 15 seconds for a host that stays silent.
 */
export function hostsOf(regions: readonly string[]): readonly AgentHost[] {
  const hosts = [...INSTALLER, ...regions.flatMap(hostsOfRegion)];
  return [...new Map(hosts.map((entry) => [entry.host, entry])).values()];
}

/** Every region's hosts, by its name. */
export const KIRO_REGIONS: Readonly<Record<string, readonly AgentHost[]>> = Object.fromEntries(
  Object.keys(REGIONS).map((region) => [region, hostsOf([region])]),
);

function commercial(region: string): RegionNames {
  return {
    signIn: [identityHost(region)],
    service: {
      inference: [`runtime.${region}.kiro.dev`, `q.${region}.amazonaws.com`],
      management: [`management.${region}.kiro.dev`, PROFILES],
    },
  };
}

function government(region: string): RegionNames {
  const inference = [`q.${region}.amazonaws.com`, `q-fips.${region}.amazonaws.com`];
  return { signIn: [identityHost(region)], service: { inference, management: [] } };
}

function identityHost(region: string): string {
  return `oidc.${region}.amazonaws.com`;
}

function hostsOfRegion(region: string): AgentHost[] {
  const { signIn = [], service } = REGIONS[region] ?? {};
  const explain = (hosts: readonly string[], reason: string): AgentHost[] =>
    hosts.map((host) => ({ host, reason: `${reason} (${region})` }));
  return [
    ...(region === "us-east-1" ? [SOCIAL_SIGN_IN] : []),
    ...explain(signIn, "sign-in with Builder ID or Identity Center, renewed every hour"),
    ...explain(service?.inference ?? [], "the model's answers"),
    ...explain(service?.management ?? [], "profiles, usage limits and the list of models"),
  ];
}
