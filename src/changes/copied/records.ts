import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { CattlegridError } from "../../errors/error.ts";
import { hasErrno } from "../../platform/native/libc.ts";
import { ContentStore } from "./content-store.ts";

const kindSchema = z.enum(["file", "directory", "link", "other"]);

const sentEntrySchema = z.strictObject({
  kind: kindSchema,
  /** Permission bits on the host, and as they came out inside. */
  mode: z.int(),
  insideMode: z.int(),
  /** Of a file's content. */
  hash: z.string().exactOptional(),
  /** As the inventory had it right after it came inside. */
  stamp: z.string(),
});
const sentSchema = z.strictObject({
  version: z.literal(1),
  /** Since when the sandbox sees the workspace; by the clock of files' change times. */
  begunAtNs: z.string(),
  entries: z.record(z.string(), sentEntrySchema),
});
export type SentEntry = z.infer<typeof sentEntrySchema>;
/** What a sandbox was given of its workspace. */
export type Sent = z.infer<typeof sentSchema>;

const fetchedEntrySchema = z.strictObject({
  kind: kindSchema,
  mode: z.int(),
  size: z.int(),
  stamp: z.string(),
  target: z.string().exactOptional(),
  /** Of a file; absent: its content could not be read inside. */
  hash: z.string().exactOptional(),
});
const fetchedSchema = z.strictObject({
  version: z.literal(1),
  /** What differs from what was sent. */
  entries: z.record(z.string(), fetchedEntrySchema),
  /** What was sent and is gone. */
  gone: z.array(z.string()).readonly(),
  /** Stamps of what was written inside and holds what was sent. */
  same: z.record(z.string(), z.string()),
});
export type FetchedEntry = z.infer<typeof fetchedEntrySchema>;
/** What was fetched of a copied workspace, as it was then. */
export type Fetched = z.infer<typeof fetchedSchema>;

const OPEN = "open";

export const NOTHING_FETCHED: Fetched = { version: 1, entries: {}, gone: [], same: {} };

/** Our own records of a workspace that a sandbox has a copy of; nothing inside can reach them. */
export class CopyRecords {
  readonly directory: string;
  readonly contents: ContentStore;

  constructor(directory: string) {
    this.directory = directory;
    this.contents = new ContentStore(join(directory, "contents"));
  }

  /** Undefined when nothing was sent yet. Throws CHANGES_JOURNAL_CORRUPT. */
  readSent(): Sent | undefined {
    return this.#read("sent.json", sentSchema);
  }

  readFetched(): Fetched {
    return this.#read("fetched.json", fetchedSchema) ?? NOTHING_FETCHED;
  }

  /** From here on the sandbox counts as having its copy. */
  writeSent(sent: Sent): void {
    this.#write("sent.json", JSON.stringify(sent));
  }

  /** In one step: whatever happens, what was fetched before or what is fetched now is there whole. */
  writeFetched(fetched: Fetched): void {
    this.#write("fetched.json", JSON.stringify(fetched));
    const hashes = Object.values(fetched.entries).flatMap(({ hash }) => hash ?? []);
    this.contents.keepOnly(new Set(hashes));
  }

  /** Whether all that was changed inside is here: false from a start until the last fetch before the end. */
  get isFetched(): boolean {
    return !existsSync(join(this.directory, OPEN));
  }

  set isFetched(isFetched: boolean) {
    const file = join(this.directory, OPEN);
    if (isFetched) rmSync(file, { force: true });
    else writeFileSync(file, "", { mode: 0o600 });
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }

  #read<T>(name: string, schema: z.ZodType<T>): T | undefined {
    const file = join(this.directory, name);
    try {
      return schema.parse(JSON.parse(readFileSync(file, "utf8")));
    } catch (error) {
      if (hasErrno(error, "ENOENT")) return undefined;
      if (!(error instanceof SyntaxError) && !(error instanceof z.ZodError)) throw error;
      const message = `${file} cannot be read: what the sandbox changed is not known.`;
      throw new CattlegridError("CHANGES_JOURNAL_CORRUPT", message, { cause: error });
    }
  }

  #write(name: string, text: string): void {
    mkdirSync(this.directory, { recursive: true, mode: 0o700 });
    const building = join(this.directory, `${name}.new`);
    writeFileSync(building, text, { mode: 0o600 });
    const fd = openSync(building, "r");
    fsyncSync(fd);
    closeSync(fd);
    renameSync(building, join(this.directory, name));
  }
}
