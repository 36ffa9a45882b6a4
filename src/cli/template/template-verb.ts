import type { Flags, FlagValues } from "../arguments.ts";
import { INPUT_FLAG, JSON_FLAG } from "../creation/creation-flags.ts";
import type { VerbContext } from "../verb.ts";
import { PARAMETER_FLAGS } from "./template-flags.ts";

/** Of every `template WORD`; each says in its help which words it belongs to. */
export const TEMPLATE_VERB_FLAGS = {
  resolved: {
    kind: "switch",
    help: "with show: as it counts, with parents merged in and parameters put in",
  },
  agent: {
    kind: "text",
    value: "AGENT",
    suggest: ["agent"],
    help: "with show --resolved and build: for this agent; default: the template's",
  },
  provider: {
    kind: "text",
    value: "ID",
    suggest: ["provider"],
    help: "with build: where its layers come to lie; default: the template's, or local",
  },
  cache: {
    kind: "switch",
    negatable: true,
    isOn: true,
    help: "with build: run every step anew, whatever is there",
  },
  "older-than": {
    kind: "text",
    value: "TIME",
    help: "with gc: what no sandbox started on for this long; default: 7d",
  },
  "dry-run": { kind: "switch", help: "with gc: list what would go, and remove nothing" },
  size: {
    kind: "text",
    value: "N",
    help: "with warm: how many sandboxes to keep ready; 0 ends it",
  },
  ...PARAMETER_FLAGS,
  ...JSON_FLAG,
  ...INPUT_FLAG,
} as const satisfies Flags;

export interface TemplateWish {
  flags: FlagValues<typeof TEMPLATE_VERB_FLAGS>;
  /** What follows the word. */
  names: readonly string[];
}

/** What `template WORD` does. Resolves with the exit status. */
export type TemplateVerb = (wish: TemplateWish, context: VerbContext) => Promise<number>;

/** The workspace whose own template counts here: the current directory. */
export async function currentWorkspace({ caller }: VerbContext): Promise<string> {
  const { resolveWorkspace } = await import("../creation/creation.ts");
  return resolveWorkspace(undefined, caller.directory);
}
