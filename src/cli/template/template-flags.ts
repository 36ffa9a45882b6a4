import type { Flags } from "../arguments.ts";

/** Answers to a template's questions. */
export const PARAMETER_FLAGS = {
  param: {
    kind: "list",
    value: "NAME=VALUE",
    suggest: ["parameter"],
    help: "an answer to a question of the template",
  },
  "params-file": {
    kind: "text",
    value: "FILE",
    suggest: ["file"],
    help: "answers as YAML or JSON; --param wins over it",
  },
} as const satisfies Flags;

export const TEMPLATE_FLAGS = {
  template: {
    kind: "text",
    value: "NAME",
    suggest: ["template"],
    help: "make the sandbox from a template; `project` is the workspace's own, and --template= is none",
  },
  ...PARAMETER_FLAGS,
  import: {
    kind: "switch",
    help: "take what the template asks for of your own configuration of the agent, without a question",
  },
} as const satisfies Flags;
