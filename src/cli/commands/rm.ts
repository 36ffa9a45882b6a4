import type { Sandbox } from "../../protocol/sandbox.ts";
import { CattlegridError } from "../../errors/error.ts";
import { sandboxPath } from "../api.ts";
import { tell } from "../caller.ts";
import { fetchWork } from "../fetched-work.ts";
import { forEachName } from "../names.ts";
import { defineVerb } from "../verb.ts";

export const RM = defineVerb({
  verb: "rm",
  usage: "[FLAGS] NAME...",
  description:
    "Removes sandboxes with their home and sign-in. Your workspace is not touched;\n" +
    "work in a clone is fetched first.\n" +
    "One with an open session, or with changes that were not applied, is left alone unless --force says otherwise.",
  example: "cattlegrid rm --force my-sandbox",
  operands: { min: 1, max: Infinity, names: "the name of a sandbox", suggest: ["sandbox"] },
  trailing: "none",
  flags: {
    force: {
      kind: "switch",
      short: "f",
      help: "end open sessions, drop changes, and pass over a name that no sandbox has",
    },
  },
  async run({ flags, operands }, { api, caller }) {
    return forEachName(operands, caller, async (name) => {
      try {
        const sandbox = await api.get<Sandbox>(sandboxPath(name));
        if (flags.force !== true) refuseBusy(sandbox);
        if (sandbox.clone !== undefined && sandbox.startedAt !== undefined) {
          await api.post(sandboxPath(sandbox.id, "/stop"), {});
          await fetchWork({ api, caller }, sandbox);
        }
        await api.delete(sandboxPath(sandbox.id, flags.force === true ? "" : carefully(sandbox)));
        tell(caller, `cattlegrid: ${sandbox.name} is removed.`);
      } catch (error) {
        if (flags.force !== true || !CattlegridError.is(error, "SANDBOX_NOT_FOUND")) throw error;
      }
    });
  },
});

/** A daemon that does not know the question has no such changes either. */
function carefully({ workspace }: Sandbox): string {
  return workspace?.mode === "overlay" ? "?careful=1" : "";
}

function refuseBusy({ name, sessions }: Sandbox): void {
  const open = sessions.filter(({ status }) => status !== "ended" && status !== "lost");
  if (open.length === 0) return;
  throw new CattlegridError("SANDBOX_BUSY", `${name} has an open session.`, {
    hint: `End it, or remove the sandbox all the same with \`cattlegrid rm --force ${name}\`.`,
  });
}
