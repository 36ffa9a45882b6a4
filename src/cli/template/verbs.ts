import type { TemplateVerb } from "./template-verb.ts";

interface TemplateWord {
  /** What follows `template`. */
  usage: string;
  /** A module is read only when its word is the one that was called. */
  load(): Promise<TemplateVerb>;
}

export const TEMPLATE_VERBS = {
  ls: {
    usage: "[ls] [--json]",
    load: async () => (await import("./verbs/ls.ts")).listTemplates,
  },
  show: {
    usage: "show NAME [--resolved [--param NAME=VALUE]...] [--json]",
    load: async () => (await import("./verbs/show.ts")).showTemplate,
  },
  lint: {
    usage: "lint [FILE|NAME]",
    load: async () => (await import("./verbs/lint.ts")).lintTemplates,
  },
  approve: {
    usage: "approve [WORKSPACE]",
    load: async () => (await import("./verbs/approve.ts")).approveTemplate,
  },
  build: {
    usage: "build NAME [--param NAME=VALUE]... [--no-cache] [--provider ID]",
    load: async () => (await import("./verbs/build.ts")).buildTemplate,
  },
  gc: {
    usage: "gc [--older-than TIME] [--dry-run]",
    load: async () => (await import("./verbs/gc.ts")).collectLayers,
  },
  warm: {
    usage: "warm [NAME --size N [--param NAME=VALUE]...]",
    load: async () => (await import("./verbs/warm.ts")).warmTemplate,
  },
} as const satisfies Readonly<Record<string, TemplateWord>>;

export type TemplateVerbName = keyof typeof TEMPLATE_VERBS;
export const TEMPLATE_VERB_NAMES = Object.keys(TEMPLATE_VERBS) as TemplateVerbName[];
