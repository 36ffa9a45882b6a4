import { CattlegridError } from "../../errors/error.ts";
import { decodeName, encodeName } from "../../platform/confined-directory.ts";
import { splitEntryName } from "../../platform/tar/entry-path.ts";
import { readTar } from "../../platform/tar/tar-reader.ts";
import type { ContentStore } from "./content-store.ts";
import { isGitsOwn, type Inventory, type InventoryEntry } from "./inventory.ts";
import type { Fetched, FetchedEntry, Sent, SentEntry } from "./records.ts";

/** Of the contents that one fetch brings. */
export const FETCHED_BYTES_MAX = 4 * 2 ** 30;

/** What has to be brought to know what is inside now. */
export interface FetchPlan {
  inventory: Inventory;
  /** Files whose content is not known here. */
  wanted: ReadonlyMap<string, InventoryEntry>;
}

/** Pure. Throws CHANGES_TOO_LARGE, naming the largest. */
export function planFetch(inventory: Inventory, sent: Sent, fetched: Fetched): FetchPlan {
  const wanted = new Map<string, InventoryEntry>();
  let sizeBytes = 0;
  for (const [path, entry] of inventory.entries) {
    if (entry.kind !== "file" || isKnown(path, entry, { sent, fetched })) continue;
    wanted.set(path, entry);
    sizeBytes += entry.size;
  }
  if (sizeBytes > FETCHED_BYTES_MAX) throw tooLarge(wanted);
  return { inventory, wanted };
}

interface Known {
  sent: Sent;
  fetched: Fetched;
}

function isKnown(path: string, { stamp }: InventoryEntry, { sent, fetched }: Known): boolean {
  const stamps = [own(sent.entries, path)?.stamp, own(fetched.same, path)];
  if (stamps.includes(stamp)) return true;
  const before = own(fetched.entries, path);
  return before?.stamp === stamp && before.hash !== undefined;
}

/**
 * Keeps what an archive brings of the wanted files; their hashes by path. Throws COPY_REFUSED, CHANGES_TOO_LARGE.
 * SECURITY: whoever rules inside wrote every byte of it. Only regular files that were asked for count, each once and no larger than
 * all may be together; their names lead nowhere on this machine.
 */
export async function receiveContents(
  archive: AsyncIterable<Uint8Array>,
  wanted: ReadonlyMap<string, InventoryEntry>,
  { contents, signal }: { contents: ContentStore; signal: AbortSignal },
): Promise<ReadonlyMap<string, string>> {
  const hashes = new Map<string, string>();
  let room = FETCHED_BYTES_MAX;
  for await (const { entry, content } of readTar(archive)) {
    signal.throwIfAborted();
    const path = decodeName(splitEntryName(entry.name).join("/"));
    if (!wanted.has(path) || encodeName(path) !== splitEntryName(entry.name).join("/")) {
      throw refuse(entry.name, "was not asked for");
    }
    // What was a file when it was listed may be anything by now, and is looked at again the next time.
    if (entry.type !== "file") continue;
    if (hashes.has(path)) throw refuse(entry.name, "comes twice");
    room -= entry.sizeBytes;
    if (room < 0) throw tooLarge(wanted);
    hashes.set(path, await contents.put(entry, content));
  }
  return hashes;
}

/** What is to be recorded once the contents are here. Pure. */
export function describeFetched(
  { inventory, wanted }: FetchPlan,
  hashes: ReadonlyMap<string, string>,
  { sent, fetched }: Known,
): Fetched {
  const entries: Record<string, FetchedEntry> = Object.create(null);
  const same: Record<string, string> = Object.create(null);
  for (const [path, entry] of inventory.entries) {
    const given = own(sent.entries, path);
    if (given !== undefined && isUntouched(entry, given)) continue;
    if (own(fetched.same, path) === entry.stamp) {
      same[path] = entry.stamp;
      continue;
    }
    const made = describe({ path, entry, given, hashes, wanted }, fetched);
    if (given !== undefined && isSame(made, given)) same[path] = entry.stamp;
    else entries[path] = made;
  }
  const gone = Object.keys(sent.entries).filter((path) => !inventory.entries.has(path));
  return { version: 1, entries, gone, same };
}

function isUntouched(entry: InventoryEntry, given: SentEntry): boolean {
  return entry.kind === given.kind && entry.stamp === given.stamp;
}

interface Parts {
  path: string;
  entry: InventoryEntry;
  given: SentEntry | undefined;
  hashes: ReadonlyMap<string, string>;
  wanted: ReadonlyMap<string, InventoryEntry>;
}

function describe({ path, entry, given, hashes, wanted }: Parts, fetched: Fetched): FetchedEntry {
  const { kind, size, stamp, target } = entry;
  // What came out other than it was on the host, as by a mask, was not changed by anybody.
  const isAsItCame = given?.kind === kind && given.insideMode === entry.mode;
  const mode = isAsItCame ? given.mode : entry.mode;
  const made = { kind, mode, size, stamp, ...(target === undefined ? {} : { target }) };
  if (kind !== "file") return made;
  const before = own(fetched.entries, path);
  if (!wanted.has(path)) return before?.hash === undefined ? made : { ...made, hash: before.hash };
  const hash = hashes.get(path);
  if (hash !== undefined) return { ...made, hash };
  // It went, or may not be read: what came of it before stays, and it is looked for again.
  return before?.kind === "file" ? before : { ...made, stamp: "" };
}

function isSame(made: FetchedEntry, given: SentEntry): boolean {
  if (made.kind !== given.kind || made.mode !== given.mode) return false;
  if (made.kind === "link") return `link ${made.target}` === given.hash;
  return made.kind === "directory" || (made.kind === "file" && made.hash === given.hash);
}

/** SECURITY: paths are an agent's, and one may be called `__proto__`. */
function own<T>(record: Readonly<Record<string, T>>, path: string): T | undefined {
  return Object.hasOwn(record, path) ? record[path] : undefined;
}

/** The inventory without what never comes out, or was not looked into. */
export function leaveOut(inventory: Inventory, isLeftOut: (path: string) => boolean): Inventory {
  const kept = [...inventory.entries].filter(([path]) => !isGitsOwn(path) && !isLeftOut(path));
  return { ...inventory, entries: new Map(kept) };
}

function refuse(name: string, why: string): CattlegridError {
  const shown = JSON.stringify(decodeName(name.slice(0, 200)));
  return new CattlegridError("COPY_REFUSED", `The entry ${shown} ${why}.`);
}

function tooLarge(wanted: ReadonlyMap<string, InventoryEntry>): CattlegridError {
  const largest = [...wanted].toSorted(([, one], [, other]) => other.size - one.size).slice(0, 3);
  const named = largest.map(([path, { size }]) => `${JSON.stringify(path)} (${size} bytes)`);
  const message = `What changed in the sandbox has more than ${FETCHED_BYTES_MAX} bytes; the largest: ${named.join(", ")}.`;
  return new CattlegridError("CHANGES_TOO_LARGE", message);
}
