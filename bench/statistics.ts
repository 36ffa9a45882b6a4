export interface Summary {
  runs: number;
  p50: number;
  p99: number;
  min: number;
  max: number;
}

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
  };
}

/** Milliseconds that one awaited call takes. */
export async function timeMs(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/**
 * Times several subjects in turn (A B C A B C …), so that a machine whose speed drifts slows all of
 * them alike and their ratio holds.
 */
export async function timeInTurn(
  subjects: Readonly<Record<string, () => Promise<unknown>>>,
  runs: { warmUp: number; counted: number },
): Promise<Record<string, Summary>> {
  const samples = new Map<string, number[]>(Object.keys(subjects).map((name) => [name, []]));
  for (let round = 0; round < runs.warmUp + runs.counted; round += 1) {
    for (const [name, work] of Object.entries(subjects)) {
      const elapsedMs = await timeMs(work);
      if (round >= runs.warmUp) samples.get(name)?.push(elapsedMs);
    }
  }
  return Object.fromEntries([...samples].map(([name, values]) => [name, summarise(values)]));
}
