import { parseChoice } from "../creation/amount.ts";
import { TEMPLATE_VERB_FLAGS } from "../template/template-verb.ts";
import { TEMPLATE_VERB_NAMES, TEMPLATE_VERBS } from "../template/verbs.ts";
import { defineVerb } from "../verb.ts";

export const TEMPLATE = defineVerb({
  verb: "template",
  usage: Object.values(TEMPLATE_VERBS)
    .map(({ usage }) => usage)
    .join("\n       cattlegrid template "),
  description:
    "Lists the templates that sandboxes can be made from, shows, checks and builds them. `project` is the template of the\n" +
    "current directory, `.cattlegrid/cattlegrid.template.yaml`: it counts once you have approved what it says, and\n" +
    "again not when it has changed. Make a sandbox with `cattlegrid run --template NAME`.",
  example: "cattlegrid template show my-template --resolved --param team=blue",
  operands: {
    min: 0,
    max: Infinity,
    names: TEMPLATE_VERB_NAMES.join(", "),
    suggest: [TEMPLATE_VERB_NAMES, "template"],
  },
  trailing: "none",
  flags: TEMPLATE_VERB_FLAGS,
  async run({ flags, operands: [word = "ls", ...names] }, context) {
    const chosen = parseChoice(word, "template", TEMPLATE_VERB_NAMES);
    const verb = await TEMPLATE_VERBS[chosen].load();
    return verb({ flags, names }, context);
  },
});
