import { CattlegridError } from "../../errors/error.ts";
import { sandboxPath } from "../api.ts";
import { canAsk, type Caller, tell } from "../caller.ts";
import { fetchChanges } from "../changes/listing.ts";
import { INPUT_FLAG } from "../creation/creation-flags.ts";
import { defineVerb } from "../verb.ts";

export const DISCARD = defineVerb({
  verb: "discard",
  usage: "[--yes] NAME",
  description:
    "Drops everything that a stopped sandbox of mode overlay changed in its workspace and that was not applied. The sandbox stays,\n" +
    "with its home, and sees your files as they are. Your workspace is not touched.",
  example: "cattlegrid discard my-sandbox --yes",
  operands: { min: 1, max: 1, names: "the name of a sandbox", suggest: ["sandbox"] },
  trailing: "none",
  flags: { yes: { kind: "switch", short: "y", help: "do not ask first" }, ...INPUT_FLAG },
  async run({ flags, operands: [name = ""] }, { api, caller }) {
    if (flags.yes !== true) {
      const { changes } = await fetchChanges(api, name, { hunks: false });
      await confirm(caller, { name, count: changes.length, asks: flags.input !== false });
    }
    await api.post(sandboxPath(name, "/changes/discard"));
    tell(caller, `cattlegrid: the changes of ${name} are dropped.`);
    return 0;
  },
});

async function confirm(
  caller: Caller,
  { name, count, asks }: { name: string; count: number; asks: boolean },
): Promise<void> {
  if (count === 0) return;
  if (!asks || !canAsk(caller)) {
    const message = `\`discard\` drops ${count} changes for good and wants --yes.`;
    throw new CattlegridError("USAGE", message, {
      hint: `Run \`cattlegrid discard ${name} --yes\`.`,
    });
  }
  const prompts = await import("@clack/prompts");
  const { input, errors: output } = caller;
  const message = `Drop ${count} changes of ${name} for good?`;
  const answer = await prompts.confirm({ message, initialValue: false, input, output });
  if (answer === true) return;
  throw new CattlegridError("INTERRUPTED", "Nothing was dropped.");
}
