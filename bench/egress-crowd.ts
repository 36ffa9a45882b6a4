import type { Socket } from "node:net";
import { attempt, openMany, untilClosed, type Attempt } from "./egress-load.ts";
import { tell, type Relay } from "./egress-parts.ts";
import type { RelayOrder } from "./egress-relays.ts";
import type { Figure } from "./report.ts";
import type { BenchContext } from "./yard.ts";

const OPEN_CONNECTIONS = 1_000;
const NEW_PER_SECOND = 200;
const CROWD_SECONDS = 60;

/**
 * A thousand connections stay open while more come and go, half of them to a name that is allowed and half to one that
 * is not; in the middle the two change places.
 */
export async function measureCrowd(
  gateway: Relay,
  { effort, signal }: Pick<BenchContext, "effort" | "signal">,
): Promise<Figure[]> {
  const { ports } = gateway;
  const crowd = Object.entries(ports).filter(([label]) => label.startsWith("crowd-"));
  const portsOf = (parity: number): number[] =>
    crowd.filter((_each, at) => at % 2 === parity).map(([, port]) => port);
  const [allowed, denied] = [portsOf(0), portsOf(1)];
  const places = [...allowed, ...denied];
  const share = OPEN_CONNECTIONS / allowed.length;
  const held = (await Promise.all(allowed.map((port) => openMany({ port }, share)))).flat();
  const attempts: { port: number; outcome: Promise<Attempt> }[] = [];
  const count = Math.ceil(NEW_PER_SECOND * CROWD_SECONDS * effort);
  const start = performance.now();
  let change: Promise<Change> | undefined;
  for (let index = 0; index < count; index += 1) {
    signal.throwIfAborted();
    const wait = start + (index * 1000) / NEW_PER_SECOND - performance.now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    if (index === Math.floor(count / 2)) change = changePolicy(gateway, held);
    const port = places[index % places.length] ?? 0;
    attempts.push({ port, outcome: attempt(port) });
  }
  const { from, until, heldMs, resetMs } = (await change) ?? NO_CHANGE;
  let wrong = 0;
  for (const { port, outcome } of attempts) {
    wrong += Number(isWrong(await outcome, { wasAllowed: allowed.includes(port), from, until }));
  }
  return [
    {
      promise: "P5",
      what: `wrong decisions of ${count} at ${NEW_PER_SECOND} a second beside ${OPEN_CONNECTIONS} open`,
      value: wrong,
      unit: "",
      target: { atMost: 0 },
      gates: true,
    },
    {
      promise: "P5",
      what: `policy change holds in the gateway, ${OPEN_CONNECTIONS} open connections included`,
      value: heldMs,
      unit: "ms",
      target: { atMost: 100 },
    },
    {
      promise: "P5",
      what: `policy change → the last of ${OPEN_CONNECTIONS} clients, one process, has seen its reset`,
      value: resetMs,
      unit: "ms",
    },
  ];
}

/** Those that the change overtakes may come out either way. */
function isWrong(
  { at, endedAt, isAllowed }: Attempt,
  { wasAllowed, from, until }: { wasAllowed: boolean; from: number; until: number },
): boolean {
  if (endedAt < from) return isAllowed !== wasAllowed;
  return at > until && isAllowed === wasAllowed;
}

interface Change {
  from: number;
  until: number;
  heldMs: number;
  resetMs: number;
}

const NO_CHANGE: Change = { from: 0, until: 0, heldMs: Number.NaN, resetMs: Number.NaN };

async function changePolicy(gateway: Relay, held: readonly Socket[]): Promise<Change> {
  const from = performance.now();
  const closed = Promise.all(held.map(untilClosed));
  const order: RelayOrder = { kind: "policy", allow: ["b.example:7000"] };
  const report = await tell(gateway, order);
  const until = performance.now();
  const heldMs = report.kind === "held" ? report.elapsedMs : Number.NaN;
  await closed;
  return { from, until, heldMs, resetMs: performance.now() - from };
}
