const UNITS = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1000],
  ["ms", 1],
] as const;

/** As a person writes it, in at most two units: `8h`, `1d 12h`, `90s` is `1m 30s`. */
export function formatDuration(durationMs: number): string {
  const parts: string[] = [];
  let rest = Math.max(0, Math.round(durationMs));
  if (rest >= 1000) rest -= rest % 1000;
  for (const [unit, unitMs] of UNITS) {
    const count = Math.floor(rest / unitMs);
    rest -= count * unitMs;
    if (count > 0 && parts.length < 2) parts.push(`${count}${unit}`);
  }
  return parts.length === 0 ? "0s" : parts.join(" ");
}
