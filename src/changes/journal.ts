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
import { stepSchema } from "./plan.ts";

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
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  get baselineFile(): string {
    return join(this.#directory, "applied.json");
  }

  /** What both sides have in common when a sandbox first sees its workspace; later calls change nothing. */
  begin(baseline: string): void {
    if (!existsSync(this.baselineFile)) this.#replace("applied.json", baseline);
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

  /** Written ahead, so that once steps are taken no full disk can keep it from being recorded. */
  prepareCommit(journal: Journal & { phase: "committing" }, baseline: string): void {
    this.#replace("applied.next.json", baseline);
    const { version, staging } = journal;
    this.#replace("journal.next.json", JSON.stringify({ phase: "committed", version, staging }));
    this.writeJournal(journal);
  }

  /** From here on the application has happened. Can be repeated. */
  recordCommit(): void {
    renameIfPresent(this.#file("applied.next.json"), this.baselineFile);
    renameIfPresent(this.#file("journal.next.json"), this.#file("journal.json"));
  }

  /** What both sides have in common after an application whose steps were all taken back. */
  noteTakenBack(baseline: string): void {
    this.#replace("applied.json", baseline);
  }

  /** No application is under way any more. */
  clear(): void {
    for (const name of ["journal.json", "journal.next.json", "applied.next.json"]) {
      rmSync(this.#file(name), { force: true });
    }
  }

  /** As `clear`, and forgets what was applied. */
  remove(): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #replace(name: string, text: string): void {
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    const building = this.#file(`${name}.new`);
    writeFileSync(building, text, { mode: 0o600 });
    const fd = openSync(building, "r");
    fsyncSync(fd);
    closeSync(fd);
    renameSync(building, this.#file(name));
  }

  #file(name: string): string {
    return join(this.#directory, name);
  }
}

function renameIfPresent(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if (!hasErrno(error, "ENOENT")) throw error;
  }
}
