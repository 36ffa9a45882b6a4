import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { BenchDaemon } from "./daemon.ts";
import { echoThrough } from "./exec.ts";
import { openDocker } from "./peers/docker.ts";
import { typeCommand, type Peer } from "./peers/peer.ts";
import { openSrt } from "./peers/srt.ts";
import type { Figure } from "./report.ts";
import { timeInTurn, timeMs, type Subject } from "./statistics.ts";
import type { BenchContext } from "./yard.ts";

const RUNS = 20;
const PROGRAM = join(import.meta.dirname, "../bin/cattlegrid");
const PEERS: Readonly<Record<string, (directory: string) => Promise<Peer>>> = {
  docker: openDocker,
  srt: openSrt,
};

/** P6: the same program's first byte, from Cattlegrid and from what people use instead, in turn in one run. */
export async function measureComparison(context: BenchContext): Promise<Figure[]> {
  const { yard, signal, effort } = context;
  await using stack = new AsyncDisposableStack();
  const subjects: Record<string, Subject> = {};
  const absences: Figure[] = [];
  for (const [name, open] of Object.entries(PEERS)) {
    try {
      const peer = stack.use(await open(yard.makeDirectory(`peer-${name}`)));
      // What cannot run once has no place among the others.
      for (const subject of Object.values(peer.subjects)) await timeMs(subject);
      Object.assign(subjects, peer.subjects);
    } catch (error) {
      signal.throwIfAborted();
      absences.push(describeAbsence(name, error));
    }
  }
  // Last, as a daemon with nothing to do would be gone again.
  const daemon = stack.use(await BenchDaemon.open(yard.makeDirectory("comparison")));
  const { id } = await daemon.start("running");
  Object.assign(subjects, cattlegridSubjects(daemon, id));
  const rounds = { warmUp: 2, counted: Math.ceil(RUNS * effort), signal };
  const times = await timeInTurn(subjects, rounds);
  return [...compare(times), ...absences];
}

function cattlegridSubjects(daemon: BenchDaemon, runningId: string): Record<string, Subject> {
  const { environment, workspace } = daemon;
  const at = { environment, cwd: workspace };
  let count = 0;
  return {
    async "cg create by API"() {
      const { id } = await daemon.start(`made-${(count += 1)}`);
      const drain = await echoThrough(daemon, id);
      return async () => {
        await drain();
        await daemon.remove(id);
      };
    },
    "cg exec by API": () => echoThrough(daemon, runningId),
    "cg run": () => {
      // Of another directory, as the same one would find the sandbox that runs.
      const other = join(workspace, `typed-${(count += 1)}`);
      mkdirSync(other);
      return typeCommand([PROGRAM, "run", "shell", "--rm", other, "--", "-c", "echo hi"], at);
    },
    "cg exec": () => typeCommand([PROGRAM, "exec", "running", "--", "echo", "hi"], at),
  };
}

function describeAbsence(name: string, error: unknown): Figure {
  const reason = (error instanceof Error ? error.message : String(error)).split("\n")[0] ?? "";
  return { promise: "P6", what: `${name} is not compared: ${reason}`, value: Number.NaN, unit: "" };
}

interface Comparison {
  ours: string;
  theirs: string;
  /** What the project lives by; the others are shown, whatever they say. */
  gates?: boolean;
}

const COMPARISONS: readonly Comparison[] = [
  { ours: "cg create by API", theirs: "docker run", gates: true },
  { ours: "cg create by API", theirs: "docker create by API", gates: true },
  { ours: "cg create by API", theirs: "srt", gates: true },
  { ours: "cg create by API", theirs: "srt library" },
  { ours: "cg run", theirs: "docker run" },
  { ours: "cg run", theirs: "srt" },
  { ours: "cg exec by API", theirs: "docker exec", gates: true },
  { ours: "cg exec by API", theirs: "docker exec by API", gates: true },
  { ours: "cg exec by API", theirs: "srt", gates: true },
  { ours: "cg exec by API", theirs: "srt library" },
  { ours: "cg exec", theirs: "docker exec" },
];

/** Medians, then the ratios of which both sides were measured. */
export function compare(times: Readonly<Record<string, { p50: number }>>): Figure[] {
  const medians = Object.entries(times).map(([name, { p50 }]): Figure => ({
    promise: "P6",
    what: `${name} → first byte, p50`,
    value: p50,
    unit: "ms",
  }));
  const ratios = COMPARISONS.flatMap(({ ours, theirs, gates = false }): Figure[] => {
    const [own, other] = [times[ours], times[theirs]];
    if (own === undefined || other === undefined) return [];
    const what = `${ours} to ${theirs}`;
    const ratio = { promise: "P6", what, value: own.p50 / other.p50, unit: "×" } as const;
    return [gates ? { ...ratio, target: { atMost: 1 }, gates } : ratio];
  });
  return [...medians, ...ratios];
}
