/** The candidate that a typing slip away from `word` was probably meant, or undefined. */
export function findNearest(word: string, candidates: readonly string[]): string | undefined {
  const limit = Math.max(1, Math.floor(word.length / 3));
  const ranked = candidates
    .map((candidate) => ({ candidate, distance: measureDistance(word, candidate) }))
    .filter(({ distance }) => distance <= limit)
    .toSorted((a, b) => a.distance - b.distance);
  return ranked[0]?.candidate;
}

/** How many insertions, deletions, replacements and swaps of neighbours turn `from` into `to`. */
function measureDistance(from: string, to: string): number {
  const known = new Map<string, number>();
  /** Of the first `i` and the first `j` characters. */
  const measure = (i: number, j: number): number => {
    if (i === 0 || j === 0) return i + j;
    const key = `${i},${j}`;
    const found = known.get(key) ?? Math.min(...listSteps(i, j));
    known.set(key, found);
    return found;
  };
  const listSteps = (i: number, j: number): number[] => {
    const isSame = from[i - 1] === to[j - 1];
    const isSwap = i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1];
    return [
      measure(i - 1, j) + 1,
      measure(i, j - 1) + 1,
      measure(i - 1, j - 1) + (isSame ? 0 : 1),
      ...(isSwap ? [measure(i - 2, j - 2) + 1] : []),
    ];
  };
  return measure(from.length, to.length);
}
