import { CattlegridError } from "../../errors/error.ts";
import { findSandbox } from "../agent-choice.ts";
import { JSON_FLAG } from "../creation/creation-flags.ts";
import { fetchWork } from "../fetched-work.ts";
import { defineVerb } from "../verb.ts";

/** Something waits for approval: no failure, and not done either. */
const HELD_STATUS = 1;

export const FETCH = defineVerb({
  verb: "fetch",
  usage: "[--approve PATH]... [--json] NAME",
  description:
    "Brings the work of a sandbox in mode clone into your repository, as the branch cattlegrid/NAME.\n" +
    "Your working tree stays as it is. Work that changes files which your machine could run waits until\n" +
    "each of them is let through by name; the exit status is then 1.",
  example: "cattlegrid fetch my-sandbox --approve .github/workflows/ci.yml",
  operands: { min: 1, max: 1, names: "the name of a sandbox", suggest: ["sandbox"] },
  trailing: "none",
  flags: {
    approve: {
      kind: "list",
      value: "PATH",
      help: "let this held path through, which you have read; repeatable",
    },
    ...JSON_FLAG,
  },
  async run({ flags, operands: [name = ""] }, context) {
    const sandbox = await findSandbox(context.api, name);
    if (sandbox === undefined) {
      throw new CattlegridError("SANDBOX_NOT_FOUND", `There is no sandbox ${name}.`);
    }
    const fetched = await fetchWork(context, sandbox, flags.approve);
    if (flags.json) context.caller.output.write(`${JSON.stringify(fetched, undefined, 2)}\n`);
    return fetched.outcome === "held" ? HELD_STATUS : 0;
  },
});
