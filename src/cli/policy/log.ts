import type { EgressRecord } from "../../protocol/egress.ts";
import { sandboxPath, type Api } from "../api.ts";
import { makeOneLine } from "../output/error-text.ts";
import { renderTable } from "../output/table.ts";

/** Records of one sandbox, oldest first; with `follow` until interrupted. */
export function readEgress(api: Api, name: string, follow: boolean): AsyncIterable<EgressRecord> {
  const path = sandboxPath(name, "/egress");
  return follow ? api.events<EgressRecord>(`${path}?follow=1`) : readAll(api, path);
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
  const bytes =
    record.kind === "close" ? `${record.bytesOut ?? 0} bytes out, ${record.bytesIn ?? 0} in` : "";
  const request = record.method === undefined ? "" : `${record.method} ${record.path ?? ""}`;
  const parts = [record.queryType ?? record.protocol ?? "", request, bytes];
  const what = parts.filter((part) => part !== "");
  const rule = record.rule === undefined ? "" : ` (rule ${record.rule.text})`;
  const words = [record.time, record.kind.padEnd(7), record.action.padEnd(5), placeOf(record)];
  return makeOneLine([...words, ...what, `- ${record.reason}${rule}`].join(" "));
}

function placeOf(record: EgressRecord): string {
  const parts = [record.name ?? record.address ?? "", record.port];
  return parts.filter((part) => part !== undefined).join(":");
}

/** All records about one place that came out alike. */
export interface RecordSummary {
  place: string;
  action: EgressRecord["action"];
  reasonCode: EgressRecord["reasonCode"];
  rule?: string;
  count: number;
  first: string;
  last: string;
  bytesIn: number;
  bytesOut: number;
}

/** Adds records up by place and outcome, in the order of their first one. */
export async function summarise(records: AsyncIterable<EgressRecord>): Promise<RecordSummary[]> {
  const summaries = new Map<string, RecordSummary>();
  const byConnection = new Map<string, RecordSummary>();
  for await (const record of records) {
    const { connectionId, bytesIn = 0, bytesOut = 0 } = record;
    if (record.kind === "close") {
      const opened = byConnection.get(connectionId ?? "");
      if (opened === undefined) continue;
      opened.bytesIn += bytesIn;
      opened.bytesOut += bytesOut;
      byConnection.delete(connectionId ?? "");
      continue;
    }
    const summary = addUp(summaries, record);
    if (connectionId !== undefined) byConnection.set(connectionId, summary);
  }
  return [...summaries.values()];
}

function addUp(summaries: Map<string, RecordSummary>, record: EgressRecord): RecordSummary {
  const { action, reasonCode, time } = record;
  const place = record.kind === "policy" ? "policy" : placeOf(record);
  const rule = record.rule?.text;
  const key = JSON.stringify([place, action, reasonCode, rule]);
  const summary = summaries.get(key) ?? {
    place,
    action,
    reasonCode,
    ...(rule === undefined ? {} : { rule }),
    count: 0,
    first: time,
    last: time,
    bytesIn: 0,
    bytesOut: 0,
  };
  summary.count += 1;
  summary.last = time;
  summaries.set(key, summary);
  return summary;
}

export function renderSummary(summaries: readonly RecordSummary[]): string {
  const rows = summaries.map((each) => [
    String(each.count),
    each.action,
    each.place,
    each.rule ?? "-",
    each.reasonCode,
    `${each.bytesOut} out, ${each.bytesIn} in`,
    each.last,
  ]);
  return renderTable(["COUNT", "ACTION", "WHAT", "RULE", "WHY", "BYTES", "LAST"], rows);
}
