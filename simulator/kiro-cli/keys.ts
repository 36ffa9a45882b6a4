export type Key = "up" | "down" | "enter" | "escape" | "interrupt" | "other";

/** How long a lone ESC waits for the rest of an arrow key before it counts as the Escape key. */
export const ESCAPE_WAIT_MS = 50;

const NAMES: Readonly<Record<string, Key>> = {
  "\u001b[A": "up",
  "\u001bOA": "up",
  k: "up",
  "\u001b[B": "down",
  "\u001bOB": "down",
  j: "down",
  "\r": "enter",
  "\n": "enter",
  " ": "enter",
  q: "escape",
  "\u001b": "escape",
  "\u0003": "interrupt",
};

/** Splits terminal input into keys; what may be the start of a longer key is left over. */
export function readKeys(input: string): { keys: Key[]; rest: string } {
  const rest = /\u001b[[O]?$/.exec(input)?.[0] ?? "";
  const whole = input.slice(0, input.length - rest.length);
  const parts = whole.match(/\u001b[[O][A-Za-z]|[^]/g) ?? [];
  return { keys: parts.map((part) => NAMES[part] ?? "other"), rest };
}
