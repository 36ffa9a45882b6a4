import { tell } from "../caller.ts";
import { CREATION_FLAGS, INPUT_FLAG, JSON_FLAG } from "../creation/creation-flags.ts";
import { openSandbox } from "../creation/opening.ts";
import { readSettings } from "../settings.ts";
import { defineVerb } from "../verb.ts";

export const CREATE = defineVerb({
  verb: "create",
  usage: "[FLAGS] AGENT [WORKSPACE]",
  description:
    "Makes a sandbox for an agent and a folder, without starting it, and prints its name.\n" +
    "One that exists already is left as it is.",
  example: "cattlegrid create shell ~/my-project --name build",
  operands: { min: 0, max: 2, names: "AGENT and WORKSPACE", suggest: ["agent", "directory"] },
  trailing: "none",
  flags: { ...CREATION_FLAGS, ...JSON_FLAG, ...INPUT_FLAG },
  async run({ flags, operands }, context) {
    const { caller } = context;
    const settings = await readSettings(caller);
    const asks = flags.input !== false;
    const wish = { verb: "create", operands, flags, settings, asks };
    const { sandbox, given } = await openSandbox(wish, context);
    for (const name of Object.keys(given.secrets)) {
      tell(caller, `cattlegrid: ${name} is a credential and is not kept; pass it with \`run\`.`);
    }
    caller.output.write(`${flags.json ? JSON.stringify(sandbox, undefined, 2) : sandbox.name}\n`);
    return 0;
  },
});
