import { CattlegridError } from "../../errors/error.ts";
import { findNearest } from "../../platform/nearest-name.ts";

const MEMORY_UNITS: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  k: 1024,
  m: 1024 ** 2,
  g: 1024 ** 3,
  t: 1024 ** 4,
};

const TIME_UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  "": 1000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** `512m`, `8g`, `1.5GiB`: bytes. Throws USAGE. */
export function parseMemory(text: string, flag: string): number {
  const match = /^(\d+(?:\.\d+)?)([bkmgt]?)(?:i?b)?$/i.exec(text);
  const bytes = Number(match?.[1]) * (MEMORY_UNITS[match?.[2]?.toLowerCase() ?? ""] ?? NaN);
  if (match === null || !Number.isSafeInteger(Math.round(bytes))) {
    throw wrong(flag, text, "an amount of memory such as 512m or 8g");
  }
  return Math.round(bytes);
}

/** A timer holds no more: 24 days. */
const TIMER_MS_MAX = 2 ** 31 - 1;
const YEARS_MS = 10 * 365 * 86_400_000;

/** `90s`, `15m`, `1h`, `2d`, `500ms`; a bare number is seconds. In milliseconds. Throws USAGE. */
export function parseDuration(text: string, flag: string, maxMs = TIMER_MS_MAX): number {
  const match = /^(\d+(?:\.\d+)?)\s*(ms|s|m|min|h|d|)$/.exec(text);
  const durationMs = Math.round(Number(match?.[1]) * (TIME_UNITS[match?.[2] ?? ""] ?? NaN));
  if (match === null || !(durationMs >= 1 && durationMs <= maxMs)) {
    throw wrong(flag, text, "a time such as 90s, 15m or 1h");
  }
  return durationMs;
}

/** The same for what no timer waits for: up to ten years. */
export function parseLongDuration(text: string, flag: string): number {
  return parseDuration(text, flag, YEARS_MS);
}

/** A positive number, such as 2 or 0.5. Throws USAGE. */
export function parseCpus(text: string, flag: string): number {
  const cpus = /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : NaN;
  if (!(cpus > 0)) throw wrong(flag, text, "a number of CPUs such as 2 or 0.5");
  return cpus;
}

/** A positive number, such as 2 or 0.5. Throws USAGE. */
export function parseFactor(text: string, flag: string): number {
  const factor = /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : NaN;
  if (!(factor > 0)) throw wrong(flag, text, "a number such as 2 or 0.5");
  return factor;
}

/** A whole number of bytes. Throws USAGE. */
export function parseOffset(text: string, flag: string): number {
  const offset = /^\d+$/.test(text) ? Number(text) : NaN;
  if (!Number.isSafeInteger(offset)) throw wrong(flag, text, "a number of bytes");
  return offset;
}

/** A whole number, `min` or more. Throws USAGE. */
export function parseCount(text: string, flag: string, min = 1): number {
  const count = /^\d+$/.test(text) ? Number(text) : NaN;
  if (!Number.isSafeInteger(count) || count < min) throw wrong(flag, text, "a number such as 100");
  return count;
}

/** One of a few words, given to an option or to a verb. Throws USAGE. */
export function parseChoice<const T extends string>(
  text: string,
  flag: string,
  choices: readonly T[],
): T {
  const found = choices.find((choice) => choice === text);
  if (found !== undefined) return found;
  const near = findNearest(text, choices);
  const page = flag.startsWith("-") ? "" : `${flag} `;
  throw new CattlegridError("USAGE", isNot(flag, text, choices.join(", ")), {
    hint: near === undefined ? `See \`cattlegrid ${page}--help\`.` : `Did you mean \`${near}\`?`,
  });
}

function wrong(flag: string, text: string, wanted: string): CattlegridError {
  return new CattlegridError("USAGE", isNot(flag, text, wanted));
}

function isNot(flag: string, text: string, wanted: string): string {
  return `${flag} ${JSON.stringify(text)} is not ${wanted}.`;
}
