import { realpathSync } from "node:fs";
import { basename, dirname } from "node:path";
import { DirectoryWatch } from "../../platform/directory-watch.ts";
import type { Logger } from "../../platform/logger.ts";
import { hasErrno } from "../../platform/native/libc.ts";
import type { Ceilings, CeilingState } from "./ceilings.ts";

/** An editor writes in several steps; what is half-written is not looked at. Well below the 100 ms that are promised. */
const SETTLE_MS = 20;
/** The kernel drops events under a flood, has few watches to give, and tells nothing of what comes by a link. */
const SWEEP_MS = 5000;

export interface CeilingWatchOptions {
  ceilings: Ceilings;
  /** What the files say, or whether they can be read, has changed. */
  onChange(states: readonly CeilingState[]): void;
  logger: Logger;
  /** Default 5 s. */
  sweepMs?: number;
}

/** Notices changes of administrators' policies. The owner closes it. */
export class CeilingWatch {
  readonly #options: CeilingWatchOptions;
  readonly #watch: DirectoryWatch;
  readonly #sweep: NodeJS.Timeout;
  #settling: NodeJS.Timeout | undefined;
  #seen: string;

  constructor(options: CeilingWatchOptions) {
    this.#options = options;
    const states = options.ceilings.look();
    this.#seen = describe(states);
    this.#report(states);
    this.#watch = new DirectoryWatch({
      names: watchedNames(options.ceilings.places.map(({ path }) => path)),
      includesContent: true,
      onChange: () => this.#lookSoon(),
    });
    this.#sweep = setInterval(() => this.#look(), options.sweepMs ?? SWEEP_MS).unref();
  }

  close(): void {
    clearTimeout(this.#settling);
    clearInterval(this.#sweep);
    this.#watch.close();
  }

  #lookSoon(): void {
    clearTimeout(this.#settling);
    this.#settling = setTimeout(() => this.#look(), SETTLE_MS).unref();
  }

  #look(): void {
    this.#settling = undefined;
    this.#watch.refresh();
    const states = this.#options.ceilings.look();
    const seen = describe(states);
    if (seen === this.#seen) return;
    this.#seen = seen;
    this.#report(states);
    this.#options.onChange(states);
  }

  #report(states: readonly CeilingState[]): void {
    const { logger } = this.#options;
    for (const { path, file, problem } of states) {
      if (problem === undefined) continue;
      const inForce = file === undefined ? "nothing may leave a sandbox" : "what it said before";
      logger.error("an organisation's policy cannot be read", { path, inForce, error: problem });
    }
  }
}

function describe(states: readonly CeilingState[]): string {
  return JSON.stringify(states.map(({ file, problem }) => [file?.text, problem?.message]));
}

/** Each file's name by its directory, and where a link of that name leads. */
function watchedNames(paths: readonly string[]): ReadonlyMap<string, ReadonlySet<string>> {
  const names = new Map<string, Set<string>>();
  for (const path of paths.flatMap((each) => [each, ...followed(each)])) {
    const directory = dirname(path);
    names.set(directory, (names.get(directory) ?? new Set()).add(basename(path)));
  }
  return names;
}

function followed(path: string): readonly string[] {
  try {
    return [realpathSync(path)];
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR", "EACCES", "ELOOP")) return [];
    throw error;
  }
}
