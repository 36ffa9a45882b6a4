import { tell } from "../caller.ts";
import { renderDiff, renderStatistics } from "../changes/diff-text.ts";
import { cleanPath, fetchChanges, paintFor } from "../changes/listing.ts";
import { writePaged } from "../changes/pager.ts";
import { JSON_FLAG } from "../creation/creation-flags.ts";
import { defineVerb } from "../verb.ts";

export const DIFF = defineVerb({
  verb: "diff",
  usage: "[FLAGS] NAME [PATH...]",
  description:
    "Shows what a sandbox of mode overlay changed in its workspace and your own files do not have yet. Changes that your\n" +
    "machine could execute are marked as held, with the reason. A text that you changed meanwhile is shown merged; where both changed\n" +
    "the same lines, as a conflict, with both versions.",
  example: "cattlegrid diff my-sandbox --stat",
  operands: {
    min: 1,
    max: Infinity,
    names: "the name of a sandbox, and paths in its workspace",
    suggest: ["sandbox"],
  },
  trailing: "none",
  flags: {
    stat: { kind: "switch", help: "one line for each path, and a sum" },
    pager: { kind: "switch", negatable: true, isOn: true, help: "write straight to the terminal" },
    ...JSON_FLAG,
  },
  async run({ flags, operands: [name = "", ...paths] }, { api, caller }) {
    const wanted = { hunks: flags.stat !== true, paths: paths.map(cleanPath) };
    const list = await fetchChanges(api, name, wanted);
    const { changes } = list;
    if (flags.json) {
      caller.output.write(`${JSON.stringify(list, undefined, 2)}\n`);
      return 0;
    }
    if (list.isOlder) {
      tell(caller, `cattlegrid: ${name} ended before everything changed in it was brought out;`);
      tell(caller, `  \`cattlegrid start ${name}\`, then look again.`);
    }
    if (changes.length === 0) {
      tell(caller, "Nothing has changed.");
      return 0;
    }
    const render = flags.stat ? renderStatistics : renderDiff;
    const text = render(changes, paintFor(caller, caller.output));
    await writePaged(caller, text, { isPaged: flags.pager !== false });
    if (list.isCut)
      tell(caller, "Not every file's lines are shown; name a path to see the others.");
    return 0;
  },
});
