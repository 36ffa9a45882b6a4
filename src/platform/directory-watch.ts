import { lstatSync, watch, type FSWatcher } from "node:fs";
import { hasErrno } from "./native/libc.ts";

export interface DirectoryWatchOptions {
  /** Names that matter, by the absolute path of the directory they are in. */
  names: ReadonlyMap<string, ReadonlySet<string>>;
  /** Default: only what is made, removed or replaced is told. */
  includesContent?: boolean;
  onChange(): void;
}

interface Watched {
  watcher: FSWatcher;
  /** Which directory it is, as another may have taken its path. */
  identity: string;
}

/**
 * Notices when something with a name that matters is made, removed or replaced, and if asked when its content changes.
 * The kernel may drop events under a flood of them and has a limited number of watches to give, so the caller
 * must look from time to time as well.
 */
export class DirectoryWatch {
  readonly #options: DirectoryWatchOptions;
  readonly #watched = new Map<string, Watched>();

  constructor(options: DirectoryWatchOptions) {
    this.#options = options;
    this.refresh();
  }

  /** Watches the directories that are at the paths now. */
  refresh(): void {
    for (const [directory, names] of this.#options.names) {
      const identity = identify(directory);
      const known = this.#watched.get(directory);
      if (known?.identity === identity) continue;
      known?.watcher.close();
      this.#watched.delete(directory);
      if (identity !== undefined) this.#watch(directory, identity, names);
    }
  }

  close(): void {
    for (const { watcher } of this.#watched.values()) watcher.close();
    this.#watched.clear();
  }

  #watch(directory: string, identity: string, names: ReadonlySet<string>): void {
    try {
      const watcher = watch(directory, { persistent: false }, (kind, name) => {
        const counts = kind === "rename" || this.#options.includesContent === true;
        if (counts && (name === null || names.has(name))) this.#options.onChange();
      });
      watcher.on("error", () => watcher.close());
      this.#watched.set(directory, { watcher, identity });
    } catch (error) {
      if (!hasErrno(error, "ENOENT", "ENOTDIR", "EACCES", "ENOSPC", "EMFILE")) throw error;
    }
  }
}

/** Undefined for what is not a directory, and for a link: where it leads is not ours to follow. */
function identify(path: string): string | undefined {
  try {
    const found = lstatSync(path);
    return found.isDirectory() ? `${found.dev}:${found.ino}` : undefined;
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR", "EACCES", "ELOOP")) return undefined;
    throw error;
  }
}
