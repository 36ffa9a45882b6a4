import { encodeName } from "../../platform/confined-directory.ts";
import { ArchiveBatch } from "../../platform/tar/archive-batch.ts";
import { endEntry, writeHeader } from "../../platform/tar/tar-writer.ts";
import type { ContentStore } from "./content-store.ts";
import type { Fetched, FetchedEntry } from "./records.ts";

/** Archives that bring what was fetched back into a new copy; directories come before what is in them. */
export function* packChanges(fetched: Fetched, contents: ContentStore): Generator<Buffer> {
  const batch = new ArchiveBatch();
  for (const path of Object.keys(fetched.entries).toSorted()) {
    const entry = fetched.entries[path];
    const packed = entry && pack(path, entry, contents);
    if (packed === undefined) continue;
    if (batch.isFull(packed.length)) yield batch.take();
    batch.add(packed);
  }
  yield batch.take();
}

function pack(path: string, entry: FetchedEntry, contents: ContentStore): Buffer | undefined {
  const { kind, mode, target = "" } = entry;
  const name = encodeName(path);
  const header = { name, mode, sizeBytes: 0, modifiedSeconds: Date.now() / 1000, target: "" };
  if (kind === "directory") return writeHeader({ ...header, name: `${name}/`, type: "directory" });
  if (kind === "link") return writeHeader({ ...header, type: "link", target: encodeName(target) });
  const content = entry.hash === undefined ? undefined : contents.read(entry.hash, Infinity);
  if (content === undefined) return undefined;
  const sizeBytes = content.length;
  return Buffer.concat([
    writeHeader({ ...header, sizeBytes, type: "file" }),
    content,
    endEntry(sizeBytes),
  ]);
}
