/** Kiro's real names, by what answers there. The cloud serves them all; only the address is simulated. */

export const INSTALLER_HOST = "cli.kiro.dev";
export const DOWNLOAD_HOST = "prod.download.cli.kiro.dev";
export const SOCIAL_HOST = "prod.us-east-1.auth.desktop.kiro.dev";
export const APPROVAL_HOST = "view.awsapps.com";

export const IDENTITY_REGIONS = [
  "us-east-1",
  "us-east-2",
  "us-west-2",
  "eu-central-1",
  "eu-west-1",
  "eu-west-2",
  "ap-southeast-2",
  "ap-northeast-1",
  "us-gov-east-1",
  "us-gov-west-1",
] as const;

export const IDENTITY_HOSTS = IDENTITY_REGIONS.map((region) => `oidc.${region}.amazonaws.com`);

const SERVICE_REGIONS = ["us-east-1", "eu-central-1"] as const;

const GOVERNMENT_REGIONS = ["us-gov-east-1", "us-gov-west-1"] as const;

export const RUNTIME_HOSTS = [
  ...SERVICE_REGIONS.flatMap((region) => [
    `runtime.${region}.kiro.dev`,
    `q.${region}.amazonaws.com`,
  ]),
  ...GOVERNMENT_REGIONS.flatMap((region) => [
    `q.${region}.amazonaws.com`,
    `q-fips.${region}.amazonaws.com`,
  ]),
];

export const MANAGEMENT_HOSTS = [
  "codewhisperer.us-east-1.amazonaws.com",
  ...SERVICE_REGIONS.map((region) => `management.${region}.kiro.dev`),
];

export const TELEMETRY_HOSTS = [
  ...SERVICE_REGIONS.map((region) => `telemetry.${region}.kiro.dev`),
  "prod.us-east-1.telemetry.desktop.kiro.dev",
  "client-telemetry.us-east-1.amazonaws.com",
  "cognito-identity.us-east-1.amazonaws.com",
];

export const ALL_HOSTS: readonly string[] = [
  INSTALLER_HOST,
  DOWNLOAD_HOST,
  SOCIAL_HOST,
  APPROVAL_HOST,
  ...IDENTITY_HOSTS,
  ...RUNTIME_HOSTS,
  ...MANAGEMENT_HOSTS,
  ...TELEMETRY_HOSTS,
];

/** The value for CATTLEGRID_MIRRORS that sends every name to one address. */
export function formatMirrors(address: string): string {
  return ALL_HOSTS.map((host) => `${host}:443=${address}`).join(",");
}
