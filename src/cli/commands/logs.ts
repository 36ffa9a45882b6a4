import type { EgressRecord } from "../../protocol/egress.ts";
import type { Api } from "../api.ts";
import { sandboxPath } from "../api.ts";
import { usage } from "../arguments.ts";
import { type Caller, write } from "../caller.ts";
import { JSON_FLAG } from "../creation-flags.ts";
import { makeOneLine } from "../error-text.ts";
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
    const path = sandboxPath(name, "/egress");
    const records = flags.follow
      ? api.events<EgressRecord>(`${path}?follow=1`)
      : readAll(api, path);
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

async function* readAll(api: Api, path: string): AsyncGenerator<EgressRecord> {
  let rest = "";
  const decoder = new TextDecoder();
  for await (const chunk of api.bytes(path)) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) yield JSON.parse(line) as EgressRecord;
  }
}

export function renderRecord(record: EgressRecord): string {
  const place = [record.name ?? record.address ?? "", record.port].filter(
    (part) => part !== undefined,
  );
  const bytes =
    record.kind === "close" ? `${record.bytesOut ?? 0} bytes out, ${record.bytesIn ?? 0} in` : "";
  const request = record.method === undefined ? "" : `${record.method} ${record.path ?? ""}`;
  const parts = [record.queryType ?? record.protocol ?? "", request, bytes];
  const what = parts.filter((part) => part !== "");
  const rule = record.rule === undefined ? "" : ` (rule ${record.rule.text})`;
  const words = [record.time, record.kind.padEnd(7), record.action.padEnd(5), place.join(":")];
  return makeOneLine([...words, ...what, `- ${record.reason}${rule}`].join(" "));
}
