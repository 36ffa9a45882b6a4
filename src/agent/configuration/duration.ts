const UNITS_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** Of a template's duration, whose form its schema has checked. */
export function toMilliseconds(text: string): number {
  const [, count = "0", unit = "ms"] = /^(\d+)(ms|s|m|h|d)$/.exec(text) ?? [];
  return Number(count) * UNITS_MS[unit as keyof typeof UNITS_MS];
}
