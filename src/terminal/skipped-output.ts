const MODE_START = Buffer.from("\x1b[?");
/** The longest mode sequence that anybody sends. */
const MODE_BYTES_MAX = 64;
const MODE = /^\x1b\[\?([\d;]+)([hl])/;
const COLOUR = /\x1b\[[\d;:]*m/g;
/** How far back the colour of what follows is looked for. */
const COLOUR_WITHIN_BYTES = 4096;

/**
 * What of output that no screen will show still matters for what follows it: the last setting of each mode, and the last colour. The
 * screen then lacks lines that scrolled by, and nothing else. Costs little, as it runs where the bytes are moved.
 */
export function extractSettings(output: Buffer): Buffer {
  const modes = new Map<string, string>();
  let at = output.indexOf(MODE_START);
  while (at !== -1) {
    const found = MODE.exec(output.toString("latin1", at, at + MODE_BYTES_MAX));
    const [sequence, mode] = [found?.[0], found?.[1]];
    if (sequence !== undefined && mode !== undefined) {
      modes.delete(mode);
      modes.set(mode, sequence);
    }
    at = output.indexOf(MODE_START, at + MODE_START.length);
  }
  const end = output.toString("latin1", Math.max(0, output.length - COLOUR_WITHIN_BYTES));
  const colour = end.match(COLOUR)?.at(-1) ?? "\x1b[0m";
  // The first byte cancels whatever sequence the screen is in the middle of.
  return Buffer.from(["\x18", ...modes.values(), colour].join(""), "latin1");
}
