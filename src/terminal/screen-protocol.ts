import type { TerminalSize } from "../protocol/process.ts";

/** From the engine to the thread that keeps screens. What concerns one screen is carried out in order. */
export type ScreenRequest =
  | { kind: "open"; screenId: number; size: TerminalSize }
  | { kind: "write"; screenId: number; bytes: Uint8Array }
  | { kind: "resize"; screenId: number; size: TerminalSize }
  | { kind: "snapshot"; screenId: number }
  | { kind: "close"; screenId: number };

export type ScreenAnswer =
  /** So many more bytes are on the screen. */
  | { kind: "taken"; screenId: number; bytes: number }
  /** One for each request, in order. */
  | { kind: "snapshot"; screenId: number; bytes: Uint8Array; size: TerminalSize };

/** The bytes that paint a screen as it was, on a terminal of that size. */
export interface ScreenSnapshot {
  bytes: Uint8Array;
  size: TerminalSize;
}
