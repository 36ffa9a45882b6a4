import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** The files of a corpus, by name. */
export function readCorpus(name: string): ReadonlyMap<string, Buffer> {
  const directory = join(import.meta.dirname, "../fixtures/fuzz", name);
  const files = readdirSync(directory).toSorted();
  return new Map(files.map((file) => [file, readFileSync(join(directory, file))]));
}

/** Makes inputs out of a corpus: the same for the same seed, so that a failure can be had again. */
export class Mutator {
  readonly #corpus: readonly Buffer[];
  readonly #tokens: readonly Buffer[];
  #state: number;

  /** `tokens` are what a grammar hangs on; they are put in where bytes alone would seldom meet. */
  constructor(corpus: Iterable<Buffer>, options: { seed: number; tokens?: readonly string[] }) {
    this.#corpus = [...corpus];
    this.#tokens = (options.tokens ?? ["\0"]).map((token) => Buffer.from(token, "latin1"));
    this.#state = options.seed;
  }

  next(): Buffer {
    let bytes = this.#pick(this.#corpus);
    const changes = this.below(4);
    for (let change = 0; change <= changes; change += 1) bytes = this.#change(bytes);
    return bytes;
  }

  /** A whole number from 0, by a linear congruence with the constants of Numerical Recipes. */
  below(limit: number): number {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((this.#state / 2 ** 32) * limit);
  }

  #pick<T>(list: readonly T[]): T {
    const picked = list[this.below(list.length)];
    if (picked === undefined) throw new TypeError("nothing to pick from");
    return picked;
  }

  #change(bytes: Buffer): Buffer {
    const at = this.below(bytes.length + 1);
    const length = this.below(Math.min(16, bytes.length - at + 1));
    const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)];
    switch (this.below(7)) {
      case 0:
        return Buffer.concat([before, after.subarray(length)]);
      case 1:
        return Buffer.concat([before, Buffer.of(this.below(256)), after.subarray(1)]);
      case 2:
        return Buffer.concat([before, Buffer.of(this.below(256)), after]);
      case 3:
        return Buffer.concat([before, after.subarray(0, length), after]);
      case 4:
        return before;
      case 5: {
        const other = this.#pick(this.#corpus);
        return Buffer.concat([before, other.subarray(this.below(other.length))]);
      }
      default:
        return Buffer.concat([before, this.#pick(this.#tokens), after]);
    }
  }
}
