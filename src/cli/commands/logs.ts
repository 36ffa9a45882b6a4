import type { EgressRecord } from "../../protocol/egress.ts";
import { parseDuration, parseFactor } from "../creation/amount.ts";
import type { Api } from "../api.ts";
import { usage } from "../arguments.ts";
import { type Caller, write } from "../caller.ts";
import { JSON_FLAG } from "../creation/creation-flags.ts";
import { readEgress, renderRecord } from "../policy/log.ts";
import { exportRecording, listRecordings, playRecording } from "../terminal/recording-choice.ts";
import { defineVerb } from "../verb.ts";

export const LOGS = defineVerb({
  verb: "logs",
  usage: "NAME --egress|--replay|--recordings [FLAGS]",
  description:
    "Shows what a sandbox connected to, what it was refused, and why: one line for each decision (--egress).\n" +
    "Plays what --record has recorded of a terminal (--replay), or lists it (--recordings).",
  example: "cattlegrid logs my-sandbox --egress --follow",
  operands: { min: 1, max: 1, names: "the name of a sandbox", suggest: ["sandbox"] },
  trailing: "none",
  flags: {
    egress: { kind: "switch", help: "the decisions about connections and names" },
    follow: { kind: "switch", short: "f", help: "wait for more decisions until interrupted" },
    replay: { kind: "switch", help: "play a recording; q ends, the space bar pauses" },
    recordings: { kind: "switch", help: "list what was recorded" },
    recording: { kind: "text", value: "ID", help: "which recording; default: the newest" },
    speed: { kind: "text", value: "N", help: "play N times as fast; default: 1" },
    "idle-limit": { kind: "text", value: "TIME", help: "longest pause when playing; default: 2s" },
    export: { kind: "text", value: "FILE", help: "write the recording (asciicast v2) instead" },
    ...JSON_FLAG,
  },
  async run({ flags, operands: [name = ""] }, { api, caller }) {
    const kinds = [flags.egress, flags.replay, flags.recordings].filter((kind) => kind === true);
    if (kinds.length !== 1) {
      throw usage("logs", "`logs` needs one of --egress, --replay and --recordings.");
    }
    if (flags.recordings) await listRecordings(api, caller, { name, asJson: flags.json === true });
    else if (flags.replay && flags.export !== undefined) {
      await exportRecording(api, caller, { name, id: flags.recording, file: flags.export });
    } else if (flags.replay) {
      const limit = parseDuration(flags["idle-limit"] ?? "2s", "--idle-limit");
      const pace = {
        speed: parseFactor(flags.speed ?? "1", "--speed"),
        idleLimitSeconds: limit / 1000,
      };
      await playRecording(api, caller, { name, id: flags.recording, pace });
    } else await showEgress(api, caller, { name, follow: flags.follow, asJson: flags.json });
    return 0;
  },
});

interface EgressView {
  name: string;
  follow: boolean | undefined;
  asJson: boolean | undefined;
}

async function showEgress(
  api: Api,
  caller: Caller,
  { name, follow, asJson }: EgressView,
): Promise<void> {
  const records = readEgress(api, name, follow === true);
  await print(caller, records, asJson ? JSON.stringify : renderRecord);
}

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
