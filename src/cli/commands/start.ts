import { CattlegridError } from "../../errors/error.ts";
import { findSandbox } from "../agent-choice.ts";
import { tell } from "../caller.ts";
import { INSTALL_TIMEOUT_FLAG } from "../creation/creation-flags.ts";
import { forEachName } from "../names.ts";
import { ensureRunning } from "../creation/opening.ts";
import { readSettings } from "../settings.ts";
import { defineVerb } from "../verb.ts";

export const START = defineVerb({
  verb: "start",
  usage: "[FLAGS] NAME...",
  description: "Starts stopped sandboxes. One that runs is left as it is.",
  example: "cattlegrid start my-sandbox",
  operands: { min: 1, max: Infinity, names: "the name of a sandbox", suggest: ["sandbox"] },
  trailing: "none",
  flags: INSTALL_TIMEOUT_FLAG,
  async run({ flags, operands }, context) {
    const { api, caller } = context;
    const settings = await readSettings(caller);
    const start = { settings, installTimeout: flags["install-timeout"] };
    return forEachName(operands, caller, async (name) => {
      const sandbox = await findSandbox(api, name);
      if (sandbox === undefined) {
        throw new CattlegridError("SANDBOX_NOT_FOUND", `There is no sandbox ${name}.`);
      }
      await ensureRunning(sandbox, start, context);
      tell(caller, `cattlegrid: ${sandbox.name} runs.`);
    });
  },
});
