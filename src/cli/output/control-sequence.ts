import type { TerminalFeature } from "../../protocol/terminal-feature.ts";

/** What a sequence is: drawing, something that has to be permitted, or nothing that is ever shown. */
export type SequenceKind = "draw" | TerminalFeature | "never";

/** `ESC` and one or two more bytes. */
const DRAWING_ESCAPES = "6789=>DEHMNOc<lmno|}~";

/** Of two bytes: character sets, and the alignment test. SECURITY: `% @` and ` G` change how all later bytes are read. */
export function classifyEscape(intermediates: string, final: string): SequenceKind {
  if (intermediates === "") {
    if (final === "Z") return "query";
    return DRAWING_ESCAPES.includes(final) ? "draw" : "never";
  }
  if (/^[()*+\-./]$/.test(intermediates)) return "draw";
  return intermediates === "#" && final === "8" ? "draw" : "never";
}

/** Control sequences that draw, by prefix, intermediates and final bytes. Everything that is not here is never shown. */
const DRAWING: Readonly<Record<string, string>> = {
  "": "@ABCDEFGHIJKLMPSTXZ`abdefghlmrsuq",
  "?": "hlsrJK",
  ">": "mufp",
  "<": "u",
  "=": "u",
  " ": "q@A",
  "!": "p",
  '"': "q",
  "#": "pq{}P",
  $: "rtvxz{",
  "'": "}~",
};
/** Of a fixed form is the answer to these. */
const QUERIES: Readonly<Record<string, string>> = {
  "": "cnx",
  ">": "cq",
  "=": "c",
  "?": "nmS",
  $: "p",
  "?$": "p",
};
/** Sizes and states of the window; SECURITY: 20 and 21 are not here, as they type out a text that the program chose. */
const WINDOW_QUERIES = new Set(["11", "13", "14", "15", "16", "18", "19"]);
const TITLE_STACK = new Set(["22", "23"]);

export interface ControlSequence {
  /** `?`, `>`, `<`, `=` or nothing. */
  prefix: string;
  parameters: string;
  intermediates: string;
  final: string;
}

export function classifyControl(sequence: ControlSequence): SequenceKind {
  const { prefix, parameters, intermediates, final } = sequence;
  const kind = prefix + intermediates;
  if (kind === "" && final === "t") return classifyWindow(parameters);
  // The flags of the kitty keyboard: asked for without parameters, else set.
  if (kind === "?" && final === "u") return "query";
  if (DRAWING[kind]?.includes(final) === true) return "draw";
  return QUERIES[kind]?.includes(final) === true ? "query" : "never";
}

function classifyWindow(parameters: string): SequenceKind {
  const [first = ""] = parameters.split(";", 1);
  if (WINDOW_QUERIES.has(first)) return "query";
  return TITLE_STACK.has(first) ? "title" : "never";
}

const TITLES = new Set(["0", "1", "2"]);
/** Means nothing without a colour. */
const SETS_A_COLOUR = /^([45]|1\d)$/;
/** Palette and colours of the screen, to set or, with a question mark, to ask for; 1xx put them back. */
const COLOURS = /^(4|5|1[0-9]|104|105|11[0-9])$/;

/** Of an operating system command, with what it says. Unknown numbers are never shown: each terminal has its own. */
export function classifyCommand(text: string): SequenceKind {
  const [number = ""] = text.split(";", 1);
  if (TITLES.has(number)) return "title";
  if (number === "8") return "links";
  // SECURITY: set only. Asking would type out what the user has copied.
  if (number === "52") return text.endsWith("?") ? "never" : "clipboard";
  if (!COLOURS.test(number)) return "never";
  if (text === number && SETS_A_COLOUR.test(number)) return "never";
  return text.includes("?") ? "query" : "draw";
}

/**
 * Of a device control string, by what comes before its data. SECURITY: besides images all of them set keys, pass bytes
 * on to another terminal, or ask for what the program chose.
 */
export function classifyDevice(introduction: string): SequenceKind {
  return /^[0-9;]*q$/.test(introduction) ? "images" : "never";
}
