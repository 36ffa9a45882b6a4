import { createHash } from "node:crypto";
import { TEXT_BYTES_MAX } from "../../changes/text.ts";
import { Tree } from "../../changes/tree.ts";
import { encodeName } from "../../platform/confined-directory.ts";
import { createPace } from "../../platform/pace.ts";
import { ArchiveBatch } from "../../platform/tar/archive-batch.ts";
import { endEntry, writeHeader } from "../../platform/tar/tar-writer.ts";
import {
  SENT_BYTES_MAX,
  whySecretContent,
  type LeftBehind,
  type OutgoingFile,
} from "./selection.ts";

/** What was packed of one path. */
export interface PackedEntry {
  kind: "file" | "directory" | "link";
  /** Permission bits. */
  mode: number;
  /** SHA-256 of a file's content; `link TARGET` of a link. */
  hash?: string;
}

export interface PackingOptions {
  workspace: string;
  files: readonly OutgoingFile[];
  signal: AbortSignal;
}

/** What came of packing, complete once the last archive was taken. */
export interface Packed {
  entries: Map<string, PackedEntry>;
  /** Became something else since it was selected. */
  leftBehind: LeftBehind[];
}

/**
 * Packs the files, with the directories they lie in, into tar archives of bounded size that are unpacked one after the other.
 * SECURITY: files are read through the workspace's own descriptor and no link is followed; one that changed since it was selected
 * is searched for secrets once more, by the bytes that are sent.
 */
export async function* packFiles(
  { workspace, files, signal }: PackingOptions,
  packed: Packed,
): AsyncGenerator<Buffer> {
  using opened = new DisposableStack();
  const host = opened.adopt(new Tree(workspace), (tree) => tree.close());
  const pace = createPace(signal);
  const batch = new ArchiveBatch();
  for (const file of files) {
    await pace.next();
    const { path } = file;
    const read = await readAgain(file, host);
    if ("why" in read) {
      packed.leftBehind.push({ path, why: read.why });
      continue;
    }
    if (batch.isFull(read.content.length)) yield batch.take();
    for (const directory of parentsOf(path)) addDirectory(batch, directory, { host, packed });
    if (file.entry.kind === "link") addLink(batch, file, packed);
    else addFile(batch, { path, mode: read.mode, content: read.content }, packed);
  }
  yield batch.take();
}

type Read = { mode: number; content: Buffer } | { why: string };

/** What is sent of a file; of a link nothing but itself, as it was judged. */
async function readAgain({ path, entry }: OutgoingFile, host: Tree): Promise<Read> {
  const content = entry.kind === "link" ? Buffer.alloc(0) : host.read(path, SENT_BYTES_MAX);
  const now = host.look(path);
  if (content === undefined || now?.kind !== entry.kind) return CHANGED;
  const isAsJudged = now.stamp === entry.stamp;
  if (isAsJudged) return { mode: now.mode & 0o777, content };
  if (entry.kind === "link") return CHANGED;
  const searched = content.length > TEXT_BYTES_MAX ? undefined : content;
  const why = await whySecretContent(path, searched);
  return why === undefined ? { mode: now.mode & 0o777, content } : { why };
}

const CHANGED = { why: "changed just now" };

interface Context {
  host: Tree;
  packed: Packed;
}

function addDirectory(pack: ArchiveBatch, path: string, { host, packed }: Context): void {
  if (packed.entries.has(path)) return;
  // Programs inside must be able to put what lies in it there.
  const mode = ((host.look(path)?.mode ?? 0o755) & 0o777) | 0o700;
  packed.entries.set(path, { kind: "directory", mode });
  pack.add(writeHeader({ ...header(path, mode), name: `${encodeName(path)}/`, type: "directory" }));
}

function addLink(pack: ArchiveBatch, { path, entry }: OutgoingFile, { entries }: Packed): void {
  const { target = "", mode } = entry;
  entries.set(path, { kind: "link", mode, hash: `link ${target}` });
  pack.add(writeHeader({ ...header(path, 0o777), type: "link", target: encodeName(target) }));
}

function addFile(
  batch: ArchiveBatch,
  { path, mode, content }: { path: string; mode: number; content: Buffer },
  { entries }: Packed,
): void {
  const hash = createHash("sha256").update(content).digest("hex");
  entries.set(path, { kind: "file", mode, hash });
  const own = { ...header(path, mode), sizeBytes: content.length };
  batch.add(writeHeader({ ...own, type: "file" }), content, endEntry(content.length));
}

function header(path: string, mode: number): Omit<Parameters<typeof writeHeader>[0], "type"> {
  const name = encodeName(path);
  return { name, mode, sizeBytes: 0, modifiedSeconds: Date.now() / 1000, target: "" };
}

function parentsOf(path: string): readonly string[] {
  const components = path.split("/").slice(0, -1);
  return components.map((_, index) => components.slice(0, index + 1).join("/"));
}
