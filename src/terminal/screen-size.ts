import type { TerminalSize } from "../protocol/process.ts";

const CELL_BYTES = 12;
/** What the cells of one screen and its history may take. */
const CELLS_BYTES_MAX = 1024 * 1024;
/** Lines above the screen that a new viewer can scroll back to. */
const HISTORY_LINES_MAX = 500;

export function countHistoryLines({ columns, rows }: TerminalSize): number {
  // The alternate buffer has the screen's size too.
  const lines = Math.floor(CELLS_BYTES_MAX / (columns * CELL_BYTES)) - 2 * rows;
  return Math.max(0, Math.min(lines, HISTORY_LINES_MAX));
}

/** Whether a screen of this size is kept at all: its cells must fit what one terminal may take. */
export function canKeepScreen({ columns, rows }: TerminalSize): boolean {
  return 2 * columns * rows * CELL_BYTES <= CELLS_BYTES_MAX;
}
