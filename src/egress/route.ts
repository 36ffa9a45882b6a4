import { classifyAddress } from "./address-class.ts";
import { formatAddress, parseAddress, rangeContains, type Address } from "./address.ts";
import { decide, type Decision, type EgressRequest } from "./policy/decide.ts";
import { dialFirst, type Dialled, type DialTarget } from "./dial.ts";
import { matchesHost, type HostName } from "./host-name.ts";
import { findMirror, formatMirror, type Mirrors } from "./mirrors.ts";
import type { ResolveName } from "./dns/name-resolver.ts";
import type { EgressPolicy } from "./policy/policy.ts";
import { Refusal } from "./refusal.ts";
import type { Protocol } from "./policy/rule.ts";
import { askAbout, formatTarget, type Target } from "./target.ts";
import type { Upstream } from "./upstream/tunnel.ts";

/** What finding the way to a target needs. */
export interface RouteContext {
  policy(): EgressPolicy;
  readonly mirrors: Mirrors;
  readonly resolveName: ResolveName;
  /** The operator's proxy; absent, everything is dialled directly. */
  readonly upstream: Upstream | undefined;
}

/** Addresses that were granted, and the question whose answer granted them. */
export interface Route {
  targets: readonly DialTarget[];
  standing(target: DialTarget): EgressRequest;
  /** Where the operator sends this name instead, as address:port. */
  mirror?: string;
  /** Goes through the operator's proxy, which is told this place. */
  through?: { upstream: Upstream; place: string };
}

export interface RouteQuestion {
  target: Target;
  protocol: Protocol;
  signal: AbortSignal;
}

/** Finds where an allowed connection goes, and asks the policy about every address that a name leads to. */
export async function findRoute(
  context: RouteContext,
  { target, protocol, signal }: RouteQuestion,
): Promise<Route | Refusal> {
  if (target.kind === "literal") return routeLiteral(context, target);
  const mirror = findMirror(context.mirrors, target);
  const request: EgressRequest = { ...askAbout(target), protocol };
  if (mirror !== undefined) {
    const decision = decide(context.policy(), request);
    if (decision.action === "deny") return Refusal.of(decision);
    // SECURITY: the operator chose this address, so it alone is exempt from the check of addresses.
    return { targets: [mirror], standing: () => request, mirror: formatMirror(mirror) };
  }
  const unresolved = routeUnresolved(context, target, request);
  return unresolved ?? resolve(context, { target, protocol, signal });
}

/** Reaches what the route leads to; through the proxy or not at all where there is one. Never rejects. */
export async function dialRoute(route: Route, signal: AbortSignal): Promise<Dialled> {
  const { through, targets } = route;
  if (through === undefined) return dialFirst(targets, signal);
  const [target = { address: "", port: 0 }] = targets;
  const tunnel = await through.upstream.open(through.place, signal);
  if (tunnel.ok) return { ok: true, socket: tunnel.socket, target };
  return { ok: false, problem: tunnel.problem, through: through.upstream.name };
}

function routeLiteral(
  context: RouteContext,
  target: Target & { kind: "literal" },
): Route | Refusal {
  const decision = decide(context.policy(), target);
  if (decision.action === "deny") return Refusal.of(decision);
  const targets = [{ address: formatAddress(target.address), port: target.port }];
  const route = { targets, standing: () => target };
  return goThrough(context.upstream, route, { target, addresses: [target.address] });
}

/**
 * Where the operator says that only the proxy can turn names into addresses. SECURITY: nobody checks addresses
 * then, so a rule that grants others than public ones does not go this way.
 */
function routeUnresolved(
  { upstream, policy }: RouteContext,
  target: Target & { kind: "name" },
  request: EgressRequest,
): Route | Refusal | undefined {
  if (upstream?.proxy.resolve !== "proxy" || isExcepted(upstream, target.name)) return undefined;
  const decision = decide(policy(), request);
  if (decision.action === "deny") return Refusal.of(decision);
  if (!decision.rule.addresses.public) return undefined;
  return {
    targets: [],
    standing: () => request,
    through: { upstream, place: formatTarget(target) },
  };
}

/** Resolves the name outside and keeps those addresses that a rule grants it. */
async function resolve(
  context: RouteContext,
  { target, protocol, signal }: RouteQuestion & { target: Target & { kind: "name" } },
): Promise<Route | Refusal> {
  const { name, port } = target;
  const resolution = await context.resolveName(name, signal, context);
  if (signal.aborted) return Refusal.gone();
  if (!resolution.ok) return Refusal.unreachable(name, resolution.problem);
  const policy = context.policy();
  const decisions = resolution.addresses.map((address) => ({
    address,
    decision: decide(policy, { kind: "dial", name, port, protocol, address }),
  }));
  const refusal = refuseAll(name, decisions);
  if (refusal !== undefined) return refusal;
  const granted = decisions.filter(({ decision }) => decision.action === "allow");
  const addresses = granted.map(({ address }) => address);
  const targets = addresses.map((address) => ({ address: formatAddress(address), port }));
  const standing = (dialled: DialTarget): EgressRequest => {
    const address = parseAddress(dialled.address);
    if (address === undefined) return { kind: "connect", name, port, protocol };
    return { kind: "dial", name, port, protocol, address };
  };
  return goThrough(context.upstream, { targets, standing }, { target, addresses });
}

function refuseAll(
  name: HostName,
  decisions: readonly { decision: Decision }[],
): Refusal | undefined {
  const [first] = decisions;
  if (first === undefined) return Refusal.unreachable(name, "it has no address");
  if (decisions.some(({ decision }) => decision.action === "allow")) return undefined;
  return first.decision.action === "deny" ? Refusal.of(first.decision) : undefined;
}

/** What is inside is reached directly, as are the operator's exceptions; all else by the proxy alone. */
function goThrough(
  upstream: Upstream | undefined,
  route: Route,
  { target, addresses }: { target: Target; addresses: readonly Address[] },
): Route {
  if (upstream === undefined) return route;
  if (target.kind === "name" && isExcepted(upstream, target.name)) return route;
  const isNear = (address: Address): boolean =>
    classifyAddress(address).class !== "public" ||
    upstream.proxy.exceptRanges.some((range) => rangeContains(range, address));
  if (addresses.every(isNear)) return route;
  return { ...route, through: { upstream, place: formatTarget(target) } };
}

function isExcepted({ proxy }: Upstream, name: HostName): boolean {
  return proxy.exceptNames.some((pattern) => matchesHost(pattern, name));
}
