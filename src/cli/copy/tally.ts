import { CattlegridError } from "../../errors/error.ts";
import { decodeName } from "../../platform/confined-directory.ts";

const LEFT_OUT_MAX = 100;
/** Names of directories are held until the end of a copy. */
const NAME_BYTES_MAX = 256 * 1024 * 1024;

export interface CopyLimits {
  bytesMax: number;
  entriesMax: number;
}

/** What was left out of a copy, and why. */
export interface LeftOut {
  name: string;
  why: string;
}

/** Counts what is copied, and stops it at its limits. */
export class Tally {
  files = 0;
  entries = 0;
  /** Announced by the entries, before their content is read. */
  bytes = 0;
  /** The first ones; `leftOutCount` counts them all. */
  readonly leftOut: LeftOut[] = [];
  leftOutCount = 0;
  #nameBytes = 0;
  readonly #limits: CopyLimits;

  constructor(limits: CopyLimits) {
    this.#limits = limits;
  }

  /** Throws COPY_TOO_LARGE. */
  count({ name, type, sizeBytes }: { name: string; type: string; sizeBytes: number }): void {
    if (type === "file") this.files++;
    this.entries++;
    this.bytes += sizeBytes;
    this.#check(name);
  }

  /** Throws COPY_TOO_LARGE: what is left out counts as well, or a hostile stream would never end. */
  leaveOut({ name }: { name: string }, why: string): void {
    this.leftOutCount++;
    if (this.leftOut.length < LEFT_OUT_MAX) this.leftOut.push({ name: decodeName(name), why });
    this.#check(name);
  }

  #check(name: string): void {
    const { bytesMax, entriesMax } = this.#limits;
    this.#nameBytes += name.length;
    if (this.entries + this.leftOutCount > entriesMax) {
      throw tooLarge(`more than ${entriesMax} files`, "--max-files");
    }
    if (this.bytes > bytesMax) throw tooLarge(`more than ${bytesMax} bytes`, "--max-size");
    if (this.#nameBytes > NAME_BYTES_MAX) throw tooLarge("too long a list of names", "--max-files");
  }
}

function tooLarge(what: string, flag: string): CattlegridError {
  return new CattlegridError("COPY_TOO_LARGE", `There is ${what} to copy; nothing was.`, {
    hint: `Raise the limit with ${flag}.`,
  });
}
