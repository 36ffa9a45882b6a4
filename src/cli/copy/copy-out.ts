import { CattlegridError } from "../../errors/error.ts";
import { decodeName, encodeName } from "../../platform/confined-directory.ts";
import { type ReadEntry, readTar } from "../../platform/tar/tar-reader.ts";
import { endEntry, endTar, writeHeader } from "../../platform/tar/tar-writer.ts";
import { write } from "../caller.ts";
import type { VerbContext } from "../verb.ts";
import { splitEntryName, staysInside } from "../../platform/tar/entry-path.ts";
import { HostTarget } from "./host-target.ts";
import { InsideProcess } from "./inside.ts";
import { splitInsidePath } from "./place.ts";
import { EXIT_SOURCE_MISSING, EXPORT_SCRIPT } from "./scripts.ts";
import type { Tally } from "./tally.ts";

export interface CopyOut {
  sandbox: { id: string; name: string; workspace: string | undefined };
  path: string;
  /** A path of this machine; undefined writes a tar stream to standard output. */
  target: string | undefined;
  replaces: boolean;
  tally: Tally;
}

/** Copies out of a sandbox. What comes is taken for hostile: see `HostTarget`. */
export async function copyOut(copy: CopyOut, context: VerbContext): Promise<void> {
  const { directory, name } = splitInsidePath(copy.path);
  const argv = ["sh", "-c", EXPORT_SCRIPT, "cp", directory, name];
  await using inside = await InsideProcess.start(copy.sandbox.id, argv, context);
  const entries = readTar(inside.output);
  try {
    if (copy.target === undefined) await writeStream(copy, entries, context);
    else await writeTarget(copy, copy.target, { entries, context });
  } catch (error) {
    throw await explain(error, copy, inside);
  }
}

/** What the process inside says of its own failure tells more than that its stream ended early. */
async function explain(error: unknown, copy: CopyOut, inside: InsideProcess): Promise<unknown> {
  if (!inside.hasEnded) return error;
  const ending = await inside.ending;
  if (ending.kind !== "exited" || ending.code === 0) return error;
  const place = `${copy.sandbox.name}:${copy.path}`;
  if (ending.code === EXIT_SOURCE_MISSING) {
    return new CattlegridError("COPY_SOURCE", `${place} does not exist.`);
  }
  if (ending.code === 127) {
    return new CattlegridError("DEPENDENCY_MISSING", "There is no tar inside the sandbox.");
  }
  const text = inside.errorText || `tar ended with ${ending.code}`;
  return new CattlegridError("COPY_FAILED", `${place} cannot be copied:\n${text}`);
}

interface Reading {
  entries: AsyncIterable<ReadEntry>;
  context: VerbContext;
}

async function writeTarget(
  { path, sandbox, replaces, tally }: CopyOut,
  target: string,
  { entries, context: { caller, api } }: Reading,
): Promise<void> {
  const { name, isContent } = splitInsidePath(path);
  const sourceName = encodeName(name);
  using place = new HostTarget({
    path: target,
    directory: caller.directory,
    sourceName,
    isContent,
    replaces,
    workspace: sandbox.workspace,
    tally,
  });
  let isFirst = true;
  for await (const read of entries) {
    api.signal.throwIfAborted();
    const names = namesBelow(sourceName, read.entry.name);
    if (isFirst) place.begin(read.entry);
    else if (names.length === 0) refuseTwice(read.entry.name);
    isFirst = false;
    await place.take(names, { entry: read.entry, content: untilAborted(read.content, api.signal) });
  }
  if (isFirst) throw new CattlegridError("COPY_REFUSED", "The sandbox sent nothing.");
  if (tally.entries === 0) {
    const why = tally.leftOut[0]?.why ?? "there is nothing to copy";
    throw new CattlegridError("COPY_SOURCE", `${sandbox.name}:${path} is not copied: ${why}.`);
  }
  api.signal.throwIfAborted();
  place.commit();
}

/** The names from the source down. Every entry of an honest stream lies at or below the source. */
function namesBelow(sourceName: string, entryName: string): readonly string[] {
  const names = splitEntryName(entryName);
  if (sourceName === ".") return names;
  if (names[0] === sourceName) return names.slice(1);
  const shown = JSON.stringify(decodeName(entryName));
  throw new CattlegridError("COPY_REFUSED", `The entry ${shown} was not asked for.`);
}

function refuseTwice(name: string): never {
  const shown = JSON.stringify(decodeName(name));
  throw new CattlegridError("COPY_REFUSED", `The entry ${shown} comes twice.`);
}

async function* untilAborted(
  content: AsyncIterable<Buffer>,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  for await (const chunk of content) {
    signal.throwIfAborted();
    yield chunk;
  }
}

/** Written anew, so that whoever unpacks it gets nothing that a copy to a directory would refuse. */
async function writeStream(
  { path, tally }: CopyOut,
  entries: AsyncIterable<ReadEntry>,
  { caller, api }: VerbContext,
): Promise<void> {
  const sourceName = encodeName(splitInsidePath(path).name);
  const put = async (bytes: Uint8Array): Promise<void> => {
    api.signal.throwIfAborted();
    if (!(await write(caller.output, bytes))) {
      throw new CattlegridError("INTERRUPTED", "Nobody reads the stream any more.");
    }
  };
  for await (const { entry, content } of entries) {
    const names = namesBelow(sourceName, entry.name);
    const name = [...(sourceName === "." ? [] : [sourceName]), ...names].join("/");
    const { type } = entry;
    if (type === "other") {
      tally.leaveOut(entry, "it is no file or directory");
      continue;
    }
    if (type === "link" && !staysInside(names, entry.target)) {
      tally.leaveOut(entry, `it is a link to ${decodeName(entry.target)}`);
      continue;
    }
    tally.count(entry);
    await put(
      writeHeader({ ...entry, type, name: type === "directory" ? `${name || "."}/` : name }),
    );
    for await (const chunk of content) await put(chunk);
    if (type === "file") await put(endEntry(entry.sizeBytes));
  }
  await put(endTar());
}
