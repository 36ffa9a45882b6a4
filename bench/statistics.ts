export interface Summary {
  runs: number;
  p50: number;
  p99: number;
  min: number;
  max: number;
  /** Every one, in the order of their rounds. */
  samples: readonly number[];
}

/** What is left to do once the clock has stopped. */
export type Aftermath = () => Promise<unknown>;

/** One thing to time: it resolves when the clock is to stop, with what then remains to be cleaned up. */
export type Subject = () => Promise<Aftermath | void>;

/** Nearest-rank percentile of an ascending list. */
function percentile(ascending: readonly number[], share: number): number {
  const rank = Math.max(0, Math.ceil(share * ascending.length) - 1);
  return ascending[rank] ?? Number.NaN;
}

export function summarise(samples: readonly number[]): Summary {
  const ascending = samples.toSorted((left, right) => left - right);
  return {
    runs: ascending.length,
    p50: percentile(ascending, 0.5),
    p99: percentile(ascending, 0.99),
    min: ascending[0] ?? Number.NaN,
    max: ascending.at(-1) ?? Number.NaN,
    samples,
  };
}

/** The median of the ratios within each round, which a machine that others load for a while disturbs least. */
export function medianRatio(subject: Summary, to: Summary): number {
  const ratios = subject.samples.map((sample, round) => sample / (to.samples[round] ?? Number.NaN));
  return summarise(ratios).p50;
}

/** Milliseconds until `subject` resolves; what it leaves to do is done after that. */
export async function timeMs(subject: Subject): Promise<number> {
  const start = performance.now();
  const aftermath = await subject();
  const elapsedMs = performance.now() - start;
  await aftermath?.();
  return elapsedMs;
}

export interface Rounds {
  warmUp: number;
  counted: number;
  /** Stops between two subjects. */
  signal: AbortSignal;
}

/**
 * Times several subjects in turn (A B C A B C …), so that a machine whose speed drifts slows all of
 * them alike and their ratio holds.
 */
export async function timeInTurn<Name extends string>(
  subjects: Readonly<Record<Name, Subject>>,
  { warmUp, counted, signal }: Rounds,
): Promise<Record<Name, Summary>> {
  const names = Object.keys(subjects) as Name[];
  const samples = names.map((name) => ({ name, times: [] as number[] }));
  for (let round = 0; round < warmUp + counted; round += 1) {
    for (const { name, times } of samples) {
      signal.throwIfAborted();
      const elapsedMs = await timeMs(subjects[name]);
      if (round >= warmUp) times.push(elapsedMs);
    }
  }
  const summaries = samples.map(({ name, times }) => [name, summarise(times)]);
  return Object.fromEntries(summaries) as Record<Name, Summary>;
}
