import { dirname, join } from "node:path";
import { DirectoryWatch } from "../../../platform/directory-watch.ts";
import type { UnprotectedPath } from "../../mounts/protection.ts";

/** How often is looked without an event: the kernel drops events under a flood, and may have no watch to give. */
const SWEEP_MS = 5000;

export interface ProtectionOptions {
  /** Absolute path of the workspace, the same inside and outside. */
  directory: string;
  /** Relative to it. */
  paths: readonly string[];
  /** Makes the paths read-only inside where they are not, and tells which cannot be. */
  protect(): Promise<readonly UnprotectedPath[]>;
  /** Protecting failed, with the sandbox still there. */
  onFailure(error: unknown): void;
}

/**
 * Keeps protected paths protected while a sandbox runs: a program of the host that replaces a file (editors write and
 * rename) detaches the mount that makes it read-only inside. The paths are watched, and each change checks all.
 */
export class Protection {
  readonly #options: ProtectionOptions;
  readonly #watch: DirectoryWatch;
  readonly #sweep: NodeJS.Timeout;
  #unprotected: readonly UnprotectedPath[];
  #isClosed = false;
  #isChecking = false;
  #isAskedAgain = false;

  constructor(options: ProtectionOptions, unprotected: readonly UnprotectedPath[]) {
    this.#options = options;
    this.#unprotected = unprotected;
    this.#watch = new DirectoryWatch({
      names: watchedNames(options.directory, options.paths),
      onChange: () => this.#check(),
    });
    this.#sweep = setInterval(() => this.#check(), SWEEP_MS).unref();
    // Something may have been replaced between the laying of the mounts and now.
    this.#check();
  }

  /** What is not protected at present. */
  get unprotected(): readonly UnprotectedPath[] {
    return this.#unprotected;
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#sweep);
    this.#watch.close();
  }

  #check(): void {
    this.#isAskedAgain = true;
    if (!this.#isChecking) void this.#checkUntilQuiet();
  }

  async #checkUntilQuiet(): Promise<void> {
    this.#isChecking = true;
    while (this.#isAskedAgain && !this.#isClosed) {
      this.#isAskedAgain = false;
      // First: what comes into a new directory before it is watched is found by the check.
      this.#watch.refresh();
      try {
        this.#unprotected = await this.#options.protect();
      } catch (error) {
        if (!this.#isClosed) this.#options.onFailure(error);
      }
    }
    this.#isChecking = false;
  }
}

/** The names on the way from the directory to each path, by the directory that each is in. */
function watchedNames(
  directory: string,
  paths: readonly string[],
): ReadonlyMap<string, ReadonlySet<string>> {
  const names = new Map<string, Set<string>>();
  for (const path of paths) {
    for (let way = path; way !== "."; way = dirname(way)) {
      const parent = join(directory, dirname(way));
      const known = names.get(parent) ?? new Set();
      names.set(parent, known.add(way.slice(way.lastIndexOf("/") + 1)));
    }
  }
  return names;
}
