import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { ECHO, childrenOf, findKeeper } from "./bare-runtime.ts";
import { BenchDaemon } from "./daemon.ts";
import { anonymousBytes } from "./memory.ts";
import type { Figure } from "./report.ts";
import type { BenchContext } from "./yard.ts";

const CYCLES = 500;
const WARM_UP_CYCLES = 20;
const COLLECTION_CYCLES = 50;
const TERMINAL_MS = 30 * 60_000;
const MIB = 2 ** 20;
/** Caches fill, and freed memory is not all given back. A leak of 32 KiB for each cycle would be found. */
const MEMORY_GROWTH_MIB_MAX = 16;

/** SOAK: many sandboxes made, used and removed, and one terminal that goes on writing: what the engine holds stays flat. */
export async function measureSoak({ yard, signal, effort }: BenchContext): Promise<Figure[]> {
  await using daemon = await BenchDaemon.open(yard.makeDirectory("soak"), { collects: true });
  for (let cycle = 0; cycle < WARM_UP_CYCLES; cycle += 1) await live(daemon, `warm-${cycle}`);
  const before = await takeStock(daemon);
  const cycles = Math.max(1, Math.ceil(CYCLES * effort));
  for (let cycle = 0; cycle < cycles; cycle += 1) {
    signal.throwIfAborted();
    await live(daemon, `soak-${cycle}`);
    // A heap that was never collected is made larger, and stays so for long.
    if (cycle % COLLECTION_CYCLES === 0) await daemon.collectGarbage();
  }
  const lives = figuresOf(
    { before, after: await takeStock(daemon) },
    `${cycles} × create, exec, rm`,
  );
  const written = await writeFor(daemon, TERMINAL_MS * effort, signal);
  const minutes = (TERMINAL_MS * effort) / 60_000;
  return [...lives, ...figuresOf(written, `a terminal of ${minutes} min`)];
}

function figuresOf({ before, after }: Growth, cause: string): Figure[] {
  const figure = { promise: "SOAK", gates: true } as const;
  const counted = (["descriptors", "processes", "mounts"] as const).map((name) => {
    const value = after[name] - before[name];
    const target = { atMost: 0 };
    return { ...figure, what: `${name} more after ${cause}`, value, unit: "", target } as const;
  });
  const memory = (after.bytes - before.bytes) / MIB;
  const target = { atMost: MEMORY_GROWTH_MIB_MAX };
  const what = `memory more after ${cause}`;
  return [...counted, { ...figure, what, value: memory, unit: "MiB", target }];
}

async function live(daemon: BenchDaemon, name: string): Promise<void> {
  const wish = { name, agent: "shell", workspace: daemon.workspace };
  const { id } = await daemon.post<{ id: string }>("/v1/sandboxes", wish);
  await daemon.post(`/v1/sandboxes/${id}/start`, {});
  const sink = { output: async () => undefined, errors: async () => undefined };
  const link = await daemon.exec(id, { argv: ECHO }, sink);
  await link.ending;
  await daemon.remove(id);
}

/** What the engine holds while a program inside writes all the time and its viewer reads: at first, and after so long. */
async function writeFor(
  daemon: BenchDaemon,
  durationMs: number,
  signal: AbortSignal,
): Promise<Growth> {
  const { id } = await daemon.start("writer");
  const argv = ["sh", "-c", "while :; do head -c 20000 /dev/zero | tr '\\0' x; sleep 0.05; done"];
  const sink = { output: async () => undefined, errors: async () => undefined };
  const terminal = { columns: 80, rows: 24 };
  using link = await daemon.exec(id, { argv, terminal }, sink);
  await delay(Math.min(5000, durationMs / 10), undefined, { signal });
  const before = await takeStock(daemon);
  await delay(durationMs, undefined, { signal });
  const after = await takeStock(daemon);
  link.control({ type: "kill" });
  await link.ending;
  return { before, after };
}

interface Growth {
  before: Stock;
  after: Stock;
}

interface Stock {
  descriptors: number;
  processes: number;
  mounts: number;
  bytes: number;
}

/** Of engine and keeper together, once what was removed is gone and the collector has run. */
async function takeStock(daemon: BenchDaemon): Promise<Stock> {
  const enginePid = daemon.pid;
  await daemon.collectGarbage();
  const holder = findKeeper(enginePid);
  const keeper = childrenOf(holder)[0] ?? -1;
  const pids = [enginePid, keeper];
  const sum = (count: (pid: number) => number): number =>
    pids.reduce((total, pid) => total + count(pid), 0);
  return {
    descriptors: sum((pid) => readdirSync(`/proc/${pid}/fd`).length),
    processes: childrenOf(enginePid).length + childrenOf(keeper).length,
    mounts: readFileSync(`/proc/${keeper}/mountinfo`, "utf8").split("\n").length,
    bytes: sum(anonymousBytes),
  };
}
