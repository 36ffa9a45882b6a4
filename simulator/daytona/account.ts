import type { Network } from "./machine.ts";
import { Refusal } from "./refusal.ts";

/** What the organisation may do; a test may change it at any time. */
export interface Account {
  /** Where it may have sandboxes: `target` of a creation. */
  regions: string[];
  /**
   * Whether it may limit what its sandboxes reach. `refused` is a 400; `ignored` leaves the wish out, as accounts of
   * the first tiers were told of.
   */
  networkLimits: "kept" | "refused" | "ignored";
}

/** Of a request: what it leaves out stays as it is, which for a new sandbox is everything open. */
export interface NetworkWish {
  networkBlockAll?: boolean | undefined;
  networkAllowList?: string | undefined;
  domainAllowList?: string | undefined;
}

/** What becomes of a wish for limits. Throws 400. */
export function grantNetwork(account: Account, wanted: NetworkWish): NetworkWish {
  const { networkBlockAll, networkAllowList, domainAllowList } = wanted;
  const wished = { networkBlockAll, networkAllowList, domainAllowList };
  const isWish = Boolean(networkBlockAll) || Boolean(networkAllowList) || Boolean(domainAllowList);
  if (!isWish || account.networkLimits === "kept") return wished;
  if (account.networkLimits === "ignored") return {};
  throw new Refusal(["api", 400], "Network settings cannot be changed on this organization's tier");
}

/** The settings with what was wished laid over them. */
export function applyNetwork(network: Network, wish: NetworkWish): Network {
  return {
    networkBlockAll: wish.networkBlockAll ?? network.networkBlockAll,
    networkAllowList: wish.networkAllowList ?? network.networkAllowList,
    domainAllowList: wish.domainAllowList ?? network.domainAllowList,
  };
}

/** Throws 403 for a region that the organisation may not use. */
export function checkRegion({ regions }: Account, target: string | undefined): void {
  if (target === undefined || regions.includes(target)) return;
  throw new Refusal(["api", 403], `Region ${target} is not available to the organization`);
}
