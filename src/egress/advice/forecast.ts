import { decide, type Decision } from "../policy/decide.ts";
import type { EgressPolicy } from "../policy/policy.ts";
import type { Wish } from "./wish.ts";

export interface Forecast {
  decision: Decision;
  /** Whether the gateway also judges, when it dials, an address that the wish does not name. */
  dependsOnAddress: boolean;
}

/** Puts the questions to `decide` that DNS and gateway put for the same wish, in their order. Pure. */
export function forecastDecision(policy: EgressPolicy, wish: Wish): Forecast {
  if (wish.kind === "literal") return final(decide(policy, wish));
  const { name, port } = wish;
  const lookup = decide(policy, { kind: "lookup", name });
  if (lookup.action === "deny") return final(lookup);
  const opening = decide(policy, { kind: "connect", name, port });
  if (opening.action === "deny") return final(opening);
  // Where any bytes may pass nobody listens to what they are.
  const protocol = opening.protocols.includes("opaque") ? "opaque" : wish.protocol;
  const place =
    wish.address === undefined
      ? ({ kind: "connect", name, port, protocol } as const)
      : ({ kind: "dial", name, port, protocol, address: wish.address } as const);
  const spoken = decide(policy, { kind: "connect", name, port, protocol });
  if (spoken.action === "deny") return final(spoken);
  const connection = decide(policy, place);
  const dependsOnAddress = wish.address === undefined;
  if (connection.action === "deny" || !connection.inspect || wish.http === undefined) {
    return { decision: connection, dependsOnAddress };
  }
  return { decision: decide(policy, { ...place, http: wish.http }), dependsOnAddress };
}

function final(decision: Decision): Forecast {
  return { decision, dependsOnAddress: false };
}
