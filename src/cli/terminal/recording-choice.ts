import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { CattlegridError } from "../../errors/error.ts";
import { parseCast } from "../../protocol/asciicast.ts";
import type { RecordingList, RecordingSummary } from "../../protocol/recording.ts";
import { type Api, sandboxPath } from "../api.ts";
import { type Caller, tell, write } from "../caller.ts";
import type { Pace } from "./replay.ts";

export interface RecordingWish {
  name: string;
  /** Default: the newest. */
  id: string | undefined;
}

/** One line for each recording of a sandbox, or its JSON. */
export async function listRecordings(
  api: Api,
  caller: Caller,
  { name, asJson }: { name: string; asJson: boolean },
): Promise<void> {
  const list = await api.get<RecordingList>(sandboxPath(name, "/recordings"));
  const lines = list.recordings.map(
    ({ id, startedAt, bytes }) => `${id}  ${startedAt}  ${bytes} bytes`,
  );
  await write(
    caller.output,
    asJson ? `${JSON.stringify(list, undefined, 2)}\n` : lines.map((line) => `${line}\n`).join(""),
  );
}

/** Writes a recording into a file that is not there yet. */
export async function exportRecording(
  api: Api,
  caller: Caller,
  { file, ...wish }: RecordingWish & { file: string },
): Promise<void> {
  const text = await readRecording(api, wish);
  const path = resolve(caller.directory, file);
  try {
    await writeFile(path, text, { flag: "wx", mode: 0o600 });
  } catch (error) {
    const message = `${path} cannot be written: ${(error as Error).message}`;
    throw new CattlegridError("USAGE", message, { hint: "Name a file that is not there yet." });
  }
  tell(caller, `cattlegrid: the recording is in ${path}.`);
}

export async function playRecording(
  api: Api,
  caller: Caller,
  { pace, ...wish }: RecordingWish & { pace: Pace },
): Promise<void> {
  const cast = parseCast(await readRecording(api, wish));
  if (cast === undefined) throw notFound(wish.name);
  const { replay } = await import("./replay.ts");
  await replay(cast, pace, caller);
}

async function readRecording(api: Api, { name, id }: RecordingWish): Promise<string> {
  const path = sandboxPath(name, "/recordings");
  const { recordings } = await api.get<RecordingList>(path);
  const chosen: Pick<RecordingSummary, "id"> | undefined =
    id === undefined ? recordings.at(-1) : { id };
  if (chosen === undefined) throw notFound(name);
  const chunks: Buffer[] = [];
  for await (const chunk of api.bytes(`${path}/${encodeURIComponent(chosen.id)}`))
    chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}

function notFound(name: string): CattlegridError {
  return new CattlegridError("RECORDING_NOT_FOUND", `Nothing of ${name} was recorded.`, {
    hint: `Record with \`cattlegrid run --name ${name} --record\`, or attach with --record.`,
  });
}
