import { CattlegridError } from "../../../errors/error.ts";
import type { AddressPolicy } from "../../provider.ts";
import type { Description } from "./description.ts";

/** What a sandbox may reach, in the words of the API. */
export interface Network {
  networkBlockAll: boolean;
  /** Ranges of IPv4, with commas between. */
  networkAllowList: string;
  domainAllowList: string;
}

const RANGES_MAX = 10;
const IPV4 = /^\d{1,3}(\.\d{1,3}){3}\/\d{1,2}$/;

/** Throws PROVIDER_UNSUPPORTED for what Daytona cannot be told. */
export function networkOf(policy: AddressPolicy): Network {
  const open = { networkBlockAll: false, networkAllowList: "", domainAllowList: "" };
  if (policy.reach === "everything") return open;
  if (policy.reach === "nothing") return { ...open, networkBlockAll: true };
  const { cidrs } = policy;
  const other = cidrs.find((cidr) => !IPV4.test(cidr));
  if (other !== undefined) {
    throw new CattlegridError("PROVIDER_UNSUPPORTED", `Daytona allows no ${other}: only IPv4.`, {
      hint: "Name ranges of IPv4, or use a provider whose egress is `enforced`.",
    });
  }
  if (cidrs.length > RANGES_MAX) {
    const message = `Daytona allows ${RANGES_MAX} ranges of addresses, and the policy has ${cidrs.length}.`;
    throw new CattlegridError("PROVIDER_UNSUPPORTED", message, {
      hint: "Join ranges, or use a provider whose egress is `enforced`.",
    });
  }
  return { ...open, networkAllowList: cidrs.join(",") };
}

/** SECURITY: an account that may not limit its sandboxes is told by the service leaving out what was asked. */
export function checkNetwork(wanted: Network, found: Description): void {
  const isSame =
    wanted.networkBlockAll === (found.networkBlockAll ?? false) &&
    listOf(wanted.networkAllowList) === listOf(found.networkAllowList) &&
    listOf(wanted.domainAllowList) === listOf(found.domainAllowList);
  if (isSame) return;
  throw new CattlegridError(
    "EGRESS_UNAVAILABLE",
    "Daytona did not take over what the sandbox may reach.",
    {
      hint: "The account may not be allowed to limit its sandboxes' networks: that takes tier 3 (Daytona's page on network limits).",
    },
  );
}

function listOf(text: string | null | undefined): string {
  const entries = (text ?? "").split(",").map((each) => each.trim());
  return entries
    .filter((each) => each !== "")
    .toSorted()
    .join(",");
}
