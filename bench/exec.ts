import { BareRuntime, ECHO, firstByte } from "./bare-runtime.ts";
import { BenchDaemon } from "./daemon.ts";
import { measureTerminals, type TerminalCost } from "./memory.ts";
import type { Figure } from "./report.ts";
import { timeInTurn, type Aftermath } from "./statistics.ts";
import type { BenchContext } from "./yard.ts";

const RUNS = 80;
const IDLE_TERMINALS = 200;

/** P2: a program in a running sandbox, through the API, with and without many idle terminals beside it. */
export async function measureExec({ yard, signal, effort }: BenchContext): Promise<Figure[]> {
  await using quiet = await BenchDaemon.open(yard.makeDirectory("quiet"));
  await using crowded = await BenchDaemon.open(yard.makeDirectory("crowded"));
  const { id: quietId } = await quiet.start("donor");
  const { id: crowdedId } = await crowded.start("crowd");
  const bare = new BareRuntime({
    enginePid: quiet.pid,
    runtimeDirectory: quiet.runtimeDirectory,
    donorName: "donor",
    directory: quiet.workspace,
  });
  const processFile = bare.writeProcess(ECHO);
  const cost = await measureTerminals(crowded.pid, IDLE_TERMINALS, () =>
    openIdle(crowded, crowdedId, signal),
  );
  const times = await timeInTurn(
    {
      exec: () => echoThrough(quiet, quietId),
      bare: () => firstByte(bare.exec(processFile)),
      crowded: () => echoThrough(crowded, crowdedId),
    },
    { warmUp: 5, counted: Math.ceil(RUNS * effort), signal },
  );
  return describe(times, cost);
}

function describe(
  times: Record<"exec" | "bare" | "crowded", { p50: number; p99: number }>,
  cost: TerminalCost,
): Figure[] {
  const { exec, bare, crowded } = times;
  const figure = { promise: "P2", unit: "ms" } as const;
  const ratio = { promise: "P2", unit: "×", gates: true } as const;
  const crowdedText = `exec with ${IDLE_TERMINALS} idle terminals`;
  const memory = { promise: "P3", unit: "MiB" } as const;
  return [
    {
      ...figure,
      what: "exec through the API → first byte, p50",
      value: exec.p50,
      target: { atMost: 10 },
    },
    { ...figure, what: "exec through the API → first byte, p99", value: exec.p99 },
    { ...figure, what: "bare crun exec, p50", value: bare.p50 },
    { ...ratio, what: "to bare", value: exec.p50 / bare.p50, target: { atMost: 2 } },
    { ...figure, what: `${crowdedText}, p50`, value: crowded.p50 },
    { ...ratio, what: "to none", value: crowded.p50 / exec.p50, target: { atMost: 1.2 } },
    { ...memory, what: "engine per open terminal", value: cost.engine, target: { atMost: 4 } },
    { ...memory, what: "processes per open terminal, without the program", value: cost.processes },
  ];
}

/** Runs `echo`, up to its first byte. */
export async function echoThrough(daemon: BenchDaemon, sandboxId: string): Promise<Aftermath> {
  const first = Promise.withResolvers<void>();
  const sink = { output: async () => first.resolve(), errors: async () => undefined };
  const link = await daemon.exec(sandboxId, { argv: ECHO }, sink);
  await first.promise;
  return () => link.ending;
}

/** A terminal whose viewer has gone, as after `detach`, and whose program waits. */
async function openIdle(daemon: BenchDaemon, id: string, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const terminal = { columns: 80, rows: 24 };
  const sink = { output: async () => undefined, errors: async () => undefined };
  const link = await daemon.exec(id, { argv: ["cat"], terminal }, sink);
  link[Symbol.dispose]();
}
