import type { Socket } from "node:net";
import { measureCrowd } from "./egress-crowd.ts";
import {
  ask,
  connectAndAsk,
  measureThroughput,
  openConnection,
  openMany,
  untilClosed,
  type Door,
} from "./egress-load.ts";
import { EgressParts, tell, type Relay } from "./egress-parts.ts";
import type { Figure } from "./report.ts";
import { summarise, timeInTurn, type Summary } from "./statistics.ts";
import type { BenchContext } from "./yard.ts";

const MIB = 2 ** 20;
const DOWNLOAD_BYTES = 64 * MIB;
const DOWNLOADS = 21;
const CONNECTS = 300;
const REQUESTS = 1_000;
const INSPECTED_CONNECTIONS = 400;
const PROMISE = "P5";

/** P5: the gateway beside a plain relay and a plain TLS proxy, each a process of its own, in one run. */
export async function measureEgress({ yard, signal, effort }: BenchContext): Promise<Figure[]> {
  await using parts = new EgressParts(yard.makeDirectory("egress"));
  const origin = await parts.origin();
  const gateway = await parts.relay("gateway", origin);
  const relay = await parts.relay("relay", origin);
  const proxy = await parts.relay("tls-proxy", origin);
  const door = ({ ports, authority }: Relay, label: string, isTls = true): Door => ({
    port: ports[label] ?? 0,
    ...(isTls ? { authority } : {}),
  });
  const doors = {
    direct: { port: origin.plain },
    relay: door(relay, "plain", false),
    opaque: door(gateway, "opaque", false),
    directTls: { port: origin.tls, authority: parts.authority },
    compared: { ...door(gateway, "tls"), authority: parts.authority },
    proxy: door(proxy, "tls"),
    inspected: door(gateway, "inspected"),
  };
  const figures = [
    ...(await measureSpeeds(doors, Math.ceil(DOWNLOADS * effort), signal)),
    ...(await measureConnects(doors, Math.ceil(CONNECTS * effort), signal)),
    ...(await measureRequests(doors, Math.ceil(REQUESTS * effort), signal)),
    ...(await measureMemory(gateway, doors)),
  ];
  return [...figures, ...(await measureCrowd(gateway, { effort, signal }))];
}

type Doors = Record<
  "direct" | "relay" | "opaque" | "directTls" | "compared" | "proxy" | "inspected",
  Door
>;

async function measureSpeeds(doors: Doors, runs: number, signal: AbortSignal): Promise<Figure[]> {
  const names = ["relay", "opaque", "proxy", "compared", "inspected"] as const;
  const speeds = Object.fromEntries(names.map((name) => [name, [] as number[]]));
  for (let run = -1; run < runs; run += 1) {
    for (const name of names) {
      signal.throwIfAborted();
      const speed = await measureThroughput(doors[name], DOWNLOAD_BYTES);
      if (run >= 0) speeds[name]?.push(speed);
    }
  }
  const p50 = (name: string): number => summarise(speeds[name] ?? []).p50;
  /** Of each round, so that what slows the machine for a while slows both. */
  const compare = (name: string, other: string): number => {
    const ratios = (speeds[name] ?? []).map((speed, at) => speed / (speeds[other]?.[at] ?? NaN));
    return summarise(ratios).p50;
  };
  const shown = (what: string, name: string): Figure => ({
    promise: PROMISE,
    what: `throughput, ${what}, p50`,
    value: p50(name),
    unit: "MB/s",
  });
  return [
    shown("gateway", "opaque"),
    shown("plain Node relay", "relay"),
    {
      ...ratio("throughput to a plain relay", compare("opaque", "relay")),
      target: { atLeast: 0.7 },
      gates: true,
    },
    shown("gateway, TLS compared and not opened", "compared"),
    shown("gateway, inspected", "inspected"),
    shown("plain TLS proxy", "proxy"),
    ratio("inspected throughput to a plain TLS proxy", compare("inspected", "proxy")),
  ];
}

async function measureConnects(
  doors: Doors,
  counted: number,
  signal: AbortSignal,
): Promise<Figure[]> {
  const subjects = Object.fromEntries(
    Object.entries(doors).map(([name, door]) => [name, () => connectAndAsk(door)]),
  ) as Record<keyof Doors, () => Promise<void>>;
  const times = await timeInTurn(subjects, { warmUp: 20, counted, signal });
  return [
    milliseconds("connect → first byte, directly, p50", times.direct),
    milliseconds("connect → first byte, plain relay, p50", times.relay),
    milliseconds("connect → first byte, gateway, p50", times.opaque),
    {
      ...added("first connect, added by the gateway", times.opaque, times.direct),
      target: { atMost: 2 },
    },
    added("TLS connect, added by comparing its name", times.compared, times.directTls),
    added("TLS connect, added by a plain TLS proxy", times.proxy, times.directTls),
    added("TLS connect, added by inspection", times.inspected, times.directTls),
    ratio("inspected TLS connect to a plain TLS proxy", times.inspected.p50 / times.proxy.p50),
  ];
}

/** Requests on one open connection each. */
async function measureRequests(
  doors: Doors,
  counted: number,
  signal: AbortSignal,
): Promise<Figure[]> {
  const open = {
    direct: await openConnection(doors.directTls),
    proxy: await openConnection(doors.proxy),
    inspected: await openConnection(doors.inspected),
  };
  const once = (socket: Socket) => async (): Promise<void> => void (await ask(socket, 1000));
  const subjects = {
    direct: once(open.direct),
    proxy: once(open.proxy),
    inspected: once(open.inspected),
  };
  const times = await timeInTurn(subjects, { warmUp: 100, counted, signal });
  for (const socket of Object.values(open)) socket.destroy();
  return [
    added("one request, added by a plain TLS proxy", times.proxy, times.direct),
    added("one request, added by inspection", times.inspected, times.direct),
  ];
}

async function measureMemory(gateway: Relay, doors: Doors): Promise<Figure[]> {
  const measure = async (what: string, door: Door, count: number): Promise<Figure> => {
    const before = await memoryOf(gateway);
    const sockets = await openMany(door, count);
    const value = (await memoryOf(gateway)) - before;
    await closeAll(sockets);
    return { promise: PROMISE, what, value: Math.round(value / count), unit: "bytes" };
  };
  return [
    await measure("memory of an open connection", doors.opaque, INSPECTED_CONNECTIONS),
    await measure("memory of an inspected connection", doors.inspected, INSPECTED_CONNECTIONS),
  ];
}

async function memoryOf(gateway: Relay): Promise<number> {
  const report = await tell(gateway, { kind: "memory" });
  return report.kind === "memory" ? report.bytes : Number.NaN;
}

async function closeAll(sockets: readonly Socket[]): Promise<void> {
  const closed = sockets.map(untilClosed);
  for (const socket of sockets) socket.destroy();
  await Promise.all(closed);
}

function ratio(what: string, value: number): Figure {
  return { promise: PROMISE, what, value, unit: "×" };
}

function milliseconds(what: string, { p50 }: Summary): Figure {
  return { promise: PROMISE, what, value: p50, unit: "ms" };
}

function added(what: string, through: Summary, directly: Summary): Figure {
  return { promise: PROMISE, what: `${what}, p50`, value: through.p50 - directly.p50, unit: "ms" };
}
