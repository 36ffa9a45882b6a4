import { resolve } from "node:path";
import { RecordingFile } from "../../platform/recording-file.ts";
import { CastRecorder, encodeRemark } from "../../protocol/asciicast.ts";
import { usage } from "../arguments.ts";
import { type Caller, tell, terminalSize } from "../caller.ts";

export interface FileRecording {
  /** As `--record` was given: undefined without it, empty without a file. */
  flag: string | undefined;
  caller: Caller;
  title: string;
  /** Whether what is recorded has a terminal. */
  hasTerminal: boolean;
}

/** Whether the engine is asked to record. */
export function wantsEngineRecording(flag: string | undefined): boolean {
  return flag === "";
}

/** Throws USAGE where a recording of the engine's would go with the sandbox at once. */
export function requireFile(verb: string, flag: string | undefined, why: string): void {
  if (flag === "") throw usage(verb, `--record needs a file here, as --record=FILE: ${why}.`);
}

/** Does something with a caller whose view of the sandbox is recorded into a file, if one was named. */
export async function recordInto<T>(
  { flag, caller, title, hasTerminal }: FileRecording,
  action: (caller: Caller) => Promise<T>,
): Promise<T> {
  if (flag === undefined || flag === "") return action(caller);
  const path = resolve(caller.directory, flag);
  const file = RecordingFile.open(path, (reason) =>
    encodeRemark(`The recording ends here: ${reason}.`, 0),
  );
  const recorder = new CastRecorder({
    size: terminalSize(caller),
    title,
    hasTerminal,
    startedAt: new Date(),
    write: (line) => file.write(line),
  });
  try {
    return await action(withRecorder(caller, recorder));
  } finally {
    await file.close();
    tell(caller, `cattlegrid: the recording is in ${path}.`);
  }
}

/** The same caller; its streams are opened only by who reads them, so it is not copied. */
export function withRecorder(caller: Caller, recorder: CastRecorder | undefined): Caller {
  return Object.create(caller, { recorder: { value: recorder } }) as Caller;
}
