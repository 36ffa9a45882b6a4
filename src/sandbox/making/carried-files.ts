import { CattlegridError } from "../../errors/error.ts";
import { readTar } from "../../platform/tar/tar-reader.ts";
import { endEntry, endTar, writeHeader } from "../../platform/tar/tar-writer.ts";
import type { ProcessEnding, SandboxProcess } from "../process.ts";
import type { RunningSandbox } from "../provider.ts";

const BYTES_MAX = 64 * 1024 * 1024;
const EXIT_NOTHING = 3;

/** SECURITY: constant texts; the paths arrive as arguments, and are an adapter's. */
const EXPORT_SCRIPT = `cd || exit 1
for path do shift; if [ -f "$path" ]; then set -- "$@" "./$path"; fi; done
[ $# -gt 0 ] || exit ${EXIT_NOTHING}
exec tar -cf - -- "$@"`;
const IMPORT_SCRIPT = "cd && umask 077 && exec tar -xf -";

/**
 * Reads a few files of a home, as a tar stream for `importFiles`; undefined when none of them is there. SECURITY: the old
 * home may be in whosever hands, and the new one is to be clean: only regular files of exactly these paths come along,
 * readable to their owner alone, whatever else the sandbox sends. Throws COPY_REFUSED, COPY_TOO_LARGE.
 */
export async function exportFiles(
  running: RunningSandbox,
  paths: readonly string[],
  signal: AbortSignal,
): Promise<Buffer | undefined> {
  const argv = ["sh", "-c", EXPORT_SCRIPT, "sh", ...paths];
  const process = await running.exec({ argv }, signal);
  try {
    process.input.on("error", () => process.input.destroy());
    process.input.end();
    process.errors?.resume();
    const read = readFiles(process, new Set(paths));
    const [files, ending] = await Promise.allSettled([read, process.ended]);
    if (ending.status === "fulfilled" && isExit(ending.value, EXIT_NOTHING)) return undefined;
    if (files.status === "rejected") throw files.reason;
    return files.value;
  } finally {
    await process.kill();
  }
}

export async function importFiles(
  running: RunningSandbox,
  files: Buffer,
  signal: AbortSignal,
): Promise<void> {
  const argv = ["sh", "-c", IMPORT_SCRIPT];
  const process = await running.exec({ argv, inputBytes: files }, signal);
  try {
    process.input.on("error", () => process.input.destroy());
    process.output.resume();
    process.errors?.resume();
    if (isExit(await process.ended, 0)) return;
    throw new CattlegridError("COPY_FAILED", "The sign-in could not be written to the new home.");
  } finally {
    await process.kill();
  }
}

async function readFiles(
  process: SandboxProcess,
  wanted: Set<string>,
): Promise<Buffer | undefined> {
  const parts: Buffer[] = [];
  let sizeBytes = 0;
  for await (const { entry, content } of readTar(process.output)) {
    const name = entry.name.replace(/^\.\//, "");
    if (entry.type !== "file" || !wanted.delete(name)) continue;
    sizeBytes += entry.sizeBytes;
    if (sizeBytes > BYTES_MAX) {
      throw new CattlegridError("COPY_TOO_LARGE", `The sign-in has more than ${BYTES_MAX} bytes.`);
    }
    parts.push(writeHeader({ ...entry, type: "file", name, mode: 0o600 }));
    for await (const chunk of content) parts.push(Buffer.from(chunk));
    parts.push(endEntry(entry.sizeBytes));
  }
  return parts.length === 0 ? undefined : Buffer.concat([...parts, endTar()]);
}

function isExit(ending: ProcessEnding, code: number): boolean {
  return ending.kind === "exited" && ending.code === code;
}
