import { classifyAddress } from "./address-class.ts";
import { formatAddress, parseAddress, type Address } from "./address.ts";
import type { EgressRequest } from "./policy/decide.ts";
import type { HostName } from "./host-name.ts";
import { Refusal } from "./refusal.ts";
import { isSynthetic, type SyntheticAddresses } from "./dns/synthetic-addresses.ts";

/** Where a captured connection was going, as the kernel tells it. */
export interface OriginalDestination {
  address: string;
  port: number;
}

/** What the client asked for: a name it looked up, or a bare address. */
export type Target =
  | { kind: "name"; name: HostName; port: number }
  | { kind: "literal"; address: Address; port: number };

/** SECURITY: loopback is never redirected, so whatever arrives for it was sent to the gateway itself. */
export function identifyTarget(
  destination: OriginalDestination | undefined,
  names: SyntheticAddresses,
): Target | undefined {
  const address = parseAddress(destination?.address ?? "");
  if (destination === undefined || address === undefined) return undefined;
  if (classifyAddress(address).meaning === "loopback") return undefined;
  const { port } = destination;
  const name = names.find(address);
  if (name === undefined) return { kind: "literal", address, port };
  return { kind: "name", name, port };
}

export function askAbout(target: Target & { kind: "name" }): EgressRequest & { kind: "connect" };
export function askAbout(target: Target): EgressRequest;
export function askAbout(target: Target): EgressRequest {
  if (target.kind === "literal") return target;
  return { kind: "connect", name: target.name, port: target.port };
}

/** As a rule would name it. */
export function formatTarget(target: Target): string {
  if (target.kind === "name") return `${target.name}:${target.port}`;
  const address = formatAddress(target.address);
  return target.address.family === 6 ? `[${address}]:${target.port}` : `${address}:${target.port}`;
}

const DNS_PORT = 53;

/** What no policy can allow, because there is nothing behind it. */
export function refuseTarget(target: Target | undefined): Refusal | undefined {
  if (target === undefined) {
    return new Refusal("direct-to-gateway", "the connection was made to the gateway itself");
  }
  if (target.port === DNS_PORT) {
    return new Refusal("dns-over-tcp", "DNS is answered over UDP only");
  }
  if (target.kind === "literal" && isSynthetic(target.address)) {
    const reason = "the address stands for no name any more; the name must be looked up again";
    return new Refusal("address-expired", reason);
  }
  return undefined;
}
