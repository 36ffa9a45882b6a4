import { CattlegridError } from "../../errors/error.ts";
import { readTar } from "../../platform/tar/tar-reader.ts";
import { endEntry, endTar, writeHeader } from "../../platform/tar/tar-writer.ts";
import type { VerbContext } from "../verb.ts";
import { splitEntryName } from "../../platform/tar/entry-path.ts";
import { openHostSource } from "./host-source.ts";
import { InsideProcess } from "./inside.ts";
import { EXIT_TARGET_TAKEN, EXIT_TARGET_UNFIT, IMPORT_SCRIPT } from "./scripts.ts";
import type { Tally } from "./tally.ts";

export interface CopyIn {
  sandbox: { id: string; name: string; workspace: string | undefined };
  /** A path of this machine; undefined reads a tar stream from standard input. */
  source: string | undefined;
  path: string;
  replaces: boolean;
  tally: Tally;
}

interface Sending {
  /** As the script inside knows it. */
  name: string;
  kind: "file" | "directory" | "content" | "stream";
  chunks: AsyncIterable<Buffer>;
}

/** Copies into a sandbox, where a process of its own unpacks what we send. */
export async function copyIn(copy: CopyIn, context: VerbContext): Promise<void> {
  const { source, tally, sandbox } = copy;
  if (source === undefined) {
    // Left open at the end: what follows an end of the archive is the writer's affair.
    const input = context.caller.input.iterator({ destroyOnReturn: false });
    const chunks = renewStream(input, tally);
    return send(copy, { name: "", kind: "stream", chunks }, context);
  }
  const isContent = /(^|\/)\.\/*$/.test(source);
  const { directory } = context.caller;
  using found = openHostSource({ path: source, directory, workspace: sandbox.workspace });
  if (isContent && found.kind !== "directory") {
    throw new CattlegridError("COPY_SOURCE", `${source} is no directory.`);
  }
  const kind = isContent ? "content" : found.kind;
  const name = Buffer.from(found.name, "latin1").toString("utf8");
  await send(copy, { name, kind, chunks: found.stream(tally) }, context);
}

async function send(copy: CopyIn, sending: Sending, context: VerbContext): Promise<void> {
  const { sandbox, path, replaces } = copy;
  const { name, kind, chunks } = sending;
  const answer = replaces ? "yes" : "no";
  const argv = ["sh", "-c", IMPORT_SCRIPT, "cp", path, name, kind, answer];
  await using inside = await InsideProcess.start(sandbox.id, argv, context);
  inside.output.resume();
  const ended = inside.ending.then(() => true);
  const { signal } = context.api;
  const interrupted = Promise.withResolvers<never>();
  const onAbort = (): void => interrupted.reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    const sent = sendAll(inside, chunks);
    await Promise.race([sent, ended, interrupted.promise]);
    const ending = await Promise.race([inside.ending, interrupted.promise]);
    if (ending.kind !== "exited" || ending.code !== 0) throw explain(copy, ending.code, inside);
    await sent;
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

async function sendAll(inside: InsideProcess, chunks: AsyncIterable<Buffer>): Promise<void> {
  for await (const chunk of chunks) {
    if (inside.hasEnded) return;
    await inside.send(chunk);
  }
  inside.endInput();
}

function explain({ sandbox, path }: CopyIn, code: number, inside: InsideProcess): CattlegridError {
  const place = `${sandbox.name}:${path}`;
  if (code === EXIT_TARGET_UNFIT) {
    return new CattlegridError("COPY_TARGET", `${place} is no directory, nor in one.`);
  }
  if (code === EXIT_TARGET_TAKEN) {
    return new CattlegridError("COPY_TARGET", `${place} is there already; nothing was copied.`, {
      hint: "Name another target, or let it be replaced with --force.",
    });
  }
  const text = inside.errorText || `it ended with ${code}`;
  return new CattlegridError("COPY_FAILED", `${place} cannot be written:\n${text}`);
}

/** Read and written anew: no set-user-id bit, no device, and no more than the limits. */
async function* renewStream(
  source: AsyncIterable<Uint8Array>,
  tally: Tally,
): AsyncGenerator<Buffer> {
  for await (const { entry, content } of readTar(source)) {
    const { type } = entry;
    const name = splitEntryName(entry.name).join("/");
    if (type === "other") {
      tally.leaveOut(entry, "it is no file or directory");
      continue;
    }
    if (name === "") continue;
    tally.count(entry);
    yield writeHeader({ ...entry, type, name: type === "directory" ? `${name}/` : name });
    yield* content;
    if (type === "file") yield endEntry(entry.sizeBytes);
  }
  yield endTar();
}
