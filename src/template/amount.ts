const SIZE = /^(\d+(?:\.\d+)?)([kmgt])b?$/i;
const DURATION = /^(\d+)(ms|s|m|h|d)$/;

const SIZE_UNITS = new Map(["k", "m", "g", "t"].map((unit, index) => [unit, 1024 ** (index + 1)]));
const DURATION_UNITS = new Map([
  ["ms", 1],
  ["s", 1000],
  ["m", 60_000],
  ["h", 3_600_000],
  ["d", 86_400_000],
]);

/** `512m`, `8g`: bytes; undefined for what is no size. */
export function readSize(text: string): number | undefined {
  const [, amount, unit = ""] = SIZE.exec(text) ?? [];
  return scale(amount, SIZE_UNITS.get(unit.toLowerCase()));
}

/** `30m`, `8h`: milliseconds; undefined for what is no duration. */
export function readDuration(text: string): number | undefined {
  const [, amount, unit = ""] = DURATION.exec(text) ?? [];
  return scale(amount, DURATION_UNITS.get(unit));
}

function scale(amount: string | undefined, factor: number | undefined): number | undefined {
  if (amount === undefined || factor === undefined) return undefined;
  const scaled = Math.round(Number(amount) * factor);
  return Number.isSafeInteger(scaled) ? scaled : undefined;
}
