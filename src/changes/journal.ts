import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { CattlegridError } from "../errors/error.ts";
import { hasErrno } from "../platform/native/libc.ts";
import { beginningSchema, type Beginning } from "./merging/beginning.ts";
import { TextStore } from "./merging/text-store.ts";
import { stepSchema } from "./step.ts";

const placeSchema = z.strictObject({ parent: z.string(), name: z.string() });
const journalSchema = z.discriminatedUnion("phase", [
  /** The staging directory fills; the workspace is untouched. */
  z.strictObject({ phase: z.literal("preparing"), version: z.literal(1), staging: placeSchema }),
  /** Steps are being taken; all of them will be. */
  z.strictObject({
    phase: z.literal("committing"),
    version: z.literal(1),
    staging: placeSchema,
    steps: z.array(stepSchema).readonly(),
  }),
  /** All steps are taken; what is left is to clean up. */
  z.strictObject({ phase: z.literal("committed"), version: z.literal(1), staging: placeSchema }),
]);
export type Journal = z.infer<typeof journalSchema>;

/** The engine's own records about the changes of one sandbox; nothing inside it can reach them. */
export class ChangeRecords {
  readonly directory: string;
  /** What both sides may once be merged from. */
  readonly texts: TextStore;

  constructor(directory: string) {
    this.directory = directory;
    this.texts = new TextStore(join(directory, "texts"));
  }

  get baselineFile(): string {
    return join(this.directory, "applied.json");
  }

  /** What both sides have in common when a sandbox first sees its workspace; later calls change nothing. */
  begin(baseline: string): void {
    if (!existsSync(this.baselineFile)) this.#replace("applied.json", baseline);
  }

  writeBeginning(beginning: Beginning): void {
    this.#replace("begun.json", JSON.stringify(beginning));
  }

  /** What each file held when the sandbox began; undefined when it was not noted, or cannot be read any more. */
  readBeginning(): Beginning | undefined {
    try {
      return beginningSchema.parse(JSON.parse(readFileSync(this.#file("begun.json"), "utf8")));
    } catch (error) {
      if (hasErrno(error, "ENOENT")) return undefined;
      if (error instanceof SyntaxError || error instanceof z.ZodError) return undefined;
      throw error;
    }
  }

  /** Undefined when no application is under way. Throws CHANGES_JOURNAL_CORRUPT. */
  readJournal(): Journal | undefined {
    const file = this.#file("journal.json");
    try {
      return journalSchema.parse(JSON.parse(readFileSync(file, "utf8")));
    } catch (error) {
      if (hasErrno(error, "ENOENT")) return undefined;
      if (!(error instanceof SyntaxError) && !(error instanceof z.ZodError)) throw error;
      throw new CattlegridError(
        "CHANGES_JOURNAL_CORRUPT",
        `${file} cannot be read. An application of changes was interrupted; what it had prepared lies beside the workspace, in a directory whose name holds ".cattlegrid-".`,
        { cause: error },
      );
    }
  }

  writeJournal(journal: Journal): void {
    this.#replace("journal.json", JSON.stringify(journal));
  }

  /** Written ahead, so that once steps are taken no full disk can keep it from being recorded, whichever way it ends. */
  prepareCommit(
    journal: Journal & { phase: "committing" },
    baselines: { committed: string; takenBack: string },
  ): void {
    this.#replace("applied.next.json", baselines.committed);
    this.#replace("applied.back.json", baselines.takenBack);
    const { version, staging } = journal;
    this.#replace("journal.next.json", JSON.stringify({ phase: "committed", version, staging }));
    this.writeJournal(journal);
  }

  /** From here on the application has happened. Can be repeated. */
  recordCommit(): void {
    renameIfPresent(this.#file("applied.next.json"), this.baselineFile);
    renameIfPresent(this.#file("journal.next.json"), this.#file("journal.json"));
  }

  /** Every step was taken back. Can be repeated. */
  recordTakenBack(): void {
    renameIfPresent(this.#file("applied.back.json"), this.baselineFile);
  }

  /** What both sides have in common from now on. */
  replaceBaseline(baseline: string): void {
    this.#replace("applied.json", baseline);
  }

  /** Drops the texts that none of these digests names, and that the sandbox did not begin with. */
  dropUnused(digests: Iterable<string>): void {
    const begun = Object.values(this.readBeginning()?.files ?? {});
    const last = [...digests, ...begun].map((digest) => digest.split(" ").at(-1) ?? "");
    this.texts.keepOnly(new Set(last));
  }

  /** No application is under way any more. */
  clear(): void {
    for (const name of [
      "journal.json",
      "journal.next.json",
      "applied.next.json",
      "applied.back.json",
    ]) {
      rmSync(this.#file(name), { force: true });
    }
  }

  /** As `clear`, and forgets what was applied. */
  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }

  #replace(name: string, text: string): void {
    mkdirSync(this.directory, { recursive: true, mode: 0o700 });
    const building = this.#file(`${name}.new`);
    writeFileSync(building, text, { mode: 0o600 });
    const fd = openSync(building, "r");
    fsyncSync(fd);
    closeSync(fd);
    renameSync(building, this.#file(name));
  }

  #file(name: string): string {
    return join(this.directory, name);
  }
}

function renameIfPresent(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if (!hasErrno(error, "ENOENT")) throw error;
  }
}
