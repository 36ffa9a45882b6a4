import type { Sandbox } from "../../protocol/sandbox.ts";
import { sandboxPath } from "../api.ts";
import { tell } from "../caller.ts";
import { fetchWork } from "../fetched-work.ts";
import { forEachName } from "../names.ts";
import { defineVerb } from "../verb.ts";

export const STOP = defineVerb({
  verb: "stop",
  usage: "NAME...",
  description:
    "Stops sandboxes. Their home, sign-in and workspace are kept; what runs in them ends.",
  example: "cattlegrid stop my-sandbox",
  operands: { min: 1, max: Infinity, names: "the name of a sandbox", suggest: ["sandbox"] },
  trailing: "none",
  flags: {},
  async run({ operands }, { api, caller }) {
    return forEachName(operands, caller, async (name) => {
      const sandbox = await api.post<Sandbox>(sandboxPath(name, "/stop"), {});
      tell(caller, `cattlegrid: ${name} is stopped.`);
      if (sandbox.clone !== undefined) await fetchWork({ api, caller }, sandbox);
    });
  },
});
