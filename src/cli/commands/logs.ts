import type { EgressRecord } from "../../protocol/egress.ts";
import { usage } from "../arguments.ts";
import { type Caller, write } from "../caller.ts";
import { JSON_FLAG } from "../creation-flags.ts";
import { readEgress, renderRecord } from "../policy/log.ts";
import { defineVerb } from "../verb.ts";

export const LOGS = defineVerb({
  verb: "logs",
  usage: "NAME --egress [--json] [--follow]",
  description:
    "Shows what a sandbox connected to, what it was refused, and why: one line for each decision.",
  example: "cattlegrid logs my-sandbox --egress --follow",
  operands: { min: 1, max: 1, names: "the name of a sandbox" },
  trailing: "none",
  flags: {
    egress: { kind: "switch", help: "the decisions about connections and names" },
    follow: { kind: "switch", short: "f", help: "wait for more until interrupted" },
    ...JSON_FLAG,
  },
  async run({ flags, operands: [name = ""] }, { api, caller }) {
    if (flags.egress !== true) {
      throw usage("logs", "`logs` needs --egress, the one kind of log there is.");
    }
    const records = readEgress(api, name, flags.follow === true);
    const render = flags.json ? JSON.stringify : renderRecord;
    await print(caller, records, render);
    return 0;
  },
});

/** Stops when nobody reads any more: `logs --follow | head` ends with `head`. */
async function print(
  caller: Caller,
  records: AsyncIterable<EgressRecord>,
  render: (record: EgressRecord) => string,
): Promise<void> {
  for await (const record of records) {
    if (!(await write(caller.output, `${render(record)}\n`))) return;
  }
}
