/**
 * What a program inside may do to the terminal of whoever looks, besides drawing. `query`: ask the terminal something of
 * which the answer has a fixed form, and comes as if it were typed. The rest changes what is not the screen.
 */
export const TERMINAL_FEATURES = ["title", "links", "clipboard", "images", "query"] as const;
export type TerminalFeature = (typeof TERMINAL_FEATURES)[number];
