import type { NetworkWish } from "./account.ts";
import { Refusal } from "./refusal.ts";

/** The body of `POST /sandbox`, as far as the fake heeds it. */
export interface SandboxRequest {
  name: string;
  snapshot: string;
  user: string;
  env: Record<string, string>;
  labels: Record<string, string>;
  public: boolean;
  target: string;
  cpu: number;
  memory: number;
  disk: number;
  gpu: number;
  autoStopInterval: number;
  autoPauseInterval: number;
  autoArchiveInterval: number;
  autoDeleteInterval: number;
  ttlMinutes: number;
  networkBlockAll: boolean;
  networkAllowList: string;
  domainAllowList: string;
  volumes: readonly { volumeId: string; mountPath: string; subpath?: string }[];
  buildInfo: { dockerfileContent: string };
}

const MAX_NETWORK_ENTRIES = 10;
const MAX_ARCHIVE_MINUTES = 30 * 24 * 60;
const IPV4_RANGE = /^(\d{1,3}\.){3}\d{1,3}\/\d{1,2}$/;
const DOMAIN = /^(\*\.)?([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}$/i;

/** Throws a 400 for a body that the API would not take. */
export function checkRequest(request: Partial<SandboxRequest>): void {
  const { snapshot, buildInfo, cpu, memory, disk } = request;
  if (buildInfo === undefined && (cpu ?? memory ?? disk) !== undefined) {
    throw bad("Cannot specify Sandbox resources when using a snapshot");
  }
  if (buildInfo !== undefined && snapshot !== undefined) {
    throw bad("Cannot specify a snapshot when using a build info entry");
  }
  checkIntervals(request);
  checkNetwork(request);
}

function checkIntervals(request: Partial<SandboxRequest>): void {
  const { autoStopInterval = 0, autoPauseInterval = 0, autoArchiveInterval = 0 } = request;
  for (const [name, value] of Object.entries({
    autoStopInterval,
    autoPauseInterval,
    autoArchiveInterval,
  })) {
    if (!Number.isInteger(value) || value < 0) throw bad(`${name} must be a non-negative integer`);
  }
  if (autoArchiveInterval > MAX_ARCHIVE_MINUTES) {
    throw bad(`Auto-archive interval must be at most ${MAX_ARCHIVE_MINUTES} minutes`);
  }
  if (autoPauseInterval > 0 && request.autoDeleteInterval === 0) {
    throw bad("Ephemeral sandboxes cannot have auto-pause enabled");
  }
}

/** Throws a 400 for lists that the API would not take. */
export function checkNetwork(network: NetworkWish): void {
  const addresses = listOf(network.networkAllowList);
  const domains = listOf(network.domainAllowList);
  if (addresses.length > MAX_NETWORK_ENTRIES) {
    throw bad(`Network allow list cannot contain more than ${MAX_NETWORK_ENTRIES} networks`);
  }
  if (domains.length > MAX_NETWORK_ENTRIES) {
    throw bad(`Domain allow list cannot contain more than ${MAX_NETWORK_ENTRIES} domains`);
  }
  const wrongAddress = addresses.find((each) => !IPV4_RANGE.test(each));
  if (wrongAddress !== undefined) {
    throw bad(`Invalid network: "${wrongAddress}" is not a valid IPv4 CIDR`);
  }
  const wrongDomain = domains.find((each) => !DOMAIN.test(each));
  if (wrongDomain !== undefined) throw bad(`Invalid domain: "${wrongDomain}"`);
}

/** The entries of a comma-separated list. */
export function listOf(text: string | undefined): string[] {
  return (text ?? "")
    .split(",")
    .map((each) => each.trim())
    .filter((each) => each !== "");
}

function bad(message: string): Refusal {
  return new Refusal(["api", 400], message);
}
