import { setTimeout as delay } from "node:timers/promises";
import { ECHO } from "./bare-runtime.ts";
import { BenchDaemon } from "./daemon.ts";
import type { Figure } from "./report.ts";
import { timeInTurn, type Aftermath } from "./statistics.ts";
import type { BenchContext } from "./yard.ts";

const RUNS = 20;
const WARM_UP_MS = 1500;

/** What a program inside may do to be a nuisance; each goes on until it is killed. */
const BOMBS: Readonly<Record<string, string>> = {
  "forks without end": "while :; do (sleep 5 &) 2>/dev/null; done",
  "takes all memory": "while :; do head -c 400m /dev/zero | tail -c 400m >/dev/null; done",
  "fills a disk": "while :; do head -c 512m /dev/zero >~/fill; rm ~/fill; done",
  "makes files without end":
    "mkdir -p ~/many; cd ~/many; while :; do for i in $(seq 2000); do : >f$i; done; rm -f f*; done",
  "opens all descriptors":
    "while :; do bash -c 'for i in $(seq 10 4000); do eval \"exec $i</dev/null\"; done' 2>/dev/null; done",
  "writes 10 million lines": "while :; do seq 10000000; done",
  "writes lines of 100 MB": "while :; do head -c 100m /dev/zero | tr '\\0' x; echo; done",
};
const LIMITS = { cpus: 0.5, memoryBytes: 256 * 2 ** 20, pids: 512 };

/**
 * NEIGHBOUR: how long a program takes to start in a sandbox, while the one beside it is a nuisance, to what it takes beside a
 * quiet one. Every exec has to work.
 */
export async function measureNeighbour(context: BenchContext): Promise<Figure[]> {
  const { yard, signal, effort } = context;
  await using daemon = await BenchDaemon.open(yard.makeDirectory("neighbour"));
  const { id } = await daemon.start("neighbour");
  const nuisance = await startLimited(daemon);
  const measure = async (): Promise<number> => {
    const rounds = { warmUp: 2, counted: Math.max(3, Math.ceil(RUNS * effort)), signal };
    return (await timeInTurn({ exec: () => echoThrough(daemon, id) }, rounds)).exec.p50;
  };
  const quiet = await measure();
  const figure = { promise: "NEIGHBOUR" } as const;
  const figures: Figure[] = [
    { ...figure, what: "exec beside a quiet sandbox, p50", value: quiet, unit: "ms" },
  ];
  for (const [name, script] of Object.entries(BOMBS)) {
    const beside = await during(daemon, { nuisance, script, signal }, measure);
    const target = { atMost: 3 };
    const what = `exec beside one that ${name}, to quiet`;
    figures.push({ ...figure, what, value: beside / quiet, unit: "×", target, gates: true });
  }
  return figures;
}

/** Limited where the machine can; a machine without cgroups is measured as it is. */
async function startLimited(daemon: BenchDaemon): Promise<string> {
  try {
    return (await daemon.start("nuisance", { limits: LIMITS })).id;
  } catch {
    process.stderr.write("limits do not hold on this machine: measured without any\n");
    return (await daemon.start("nuisance-unlimited")).id;
  }
}

async function during<T>(
  daemon: BenchDaemon,
  { nuisance, script, signal }: { nuisance: string; script: string; signal: AbortSignal },
  measure: () => Promise<T>,
): Promise<T> {
  const sink = { output: async () => undefined, errors: async () => undefined };
  const argv = ["bash", "-c", script];
  using link = await daemon.exec(nuisance, { argv, terminal: { columns: 80, rows: 24 } }, sink);
  // Its own failure, as when it has no memory left, is what was to be seen.
  const over = Promise.allSettled([link.ending]);
  await delay(WARM_UP_MS, undefined, { signal });
  try {
    return await measure();
  } finally {
    link.control({ type: "kill" });
    await over;
  }
}

async function echoThrough(daemon: BenchDaemon, sandboxId: string): Promise<Aftermath> {
  const first = Promise.withResolvers<void>();
  const sink = { output: async () => first.resolve(), errors: async () => undefined };
  const link = await daemon.exec(sandboxId, { argv: ECHO }, sink);
  await first.promise;
  return () => link.ending;
}
