import type { ChangedTree } from "../changed-tree.ts";
import type { Listing, Tree, TreeEntry } from "../tree.ts";
import type { ContentStore } from "./content-store.ts";
import type { Fetched, FetchedEntry, Sent } from "./records.ts";

export interface CopiedTreeOptions {
  sent: Sent;
  fetched: Fetched;
  contents: ContentStore;
  host: Tree;
}

/**
 * What a sandbox changed in its copy of the workspace, by our records of what was sent and what was fetched. A directory that is gone
 * inside goes only when nothing is in it that the sandbox was never given.
 */
export class CopiedTree implements ChangedTree {
  readonly #options: CopiedTreeOptions;
  readonly #gone: ReadonlySet<string>;
  readonly #vanished = new Map<string, boolean>();
  /** Of each directory with changes at or below it: the names to look at. */
  readonly #names = new Map<string, Set<string>>();

  constructor(options: CopiedTreeOptions) {
    this.#options = options;
    const { entries, gone } = options.fetched;
    this.#gone = new Set(gone);
    for (const path of Object.keys(entries)) this.#show(path);
    for (const path of gone) if (this.#hasVanished(path)) this.#show(path);
  }

  look(path: string): TreeEntry | undefined {
    const entry = this.#entry(path);
    if (entry !== undefined) return describe(entry);
    if (this.#gone.has(path) && this.#hasVanished(path)) return WHITEOUT;
    if (!this.#names.has(path)) return undefined;
    const { host, sent } = this.#options;
    const there = host.look(path);
    if (there?.kind === "directory") return there;
    const { mode = 0o755 } = own(sent.entries, path) ?? {};
    return { ...WHITEOUT, kind: "directory", mode, isWhiteout: false };
  }

  list(path: string): Listing {
    return { names: [...(this.#names.get(path) ?? [])].toSorted(), undecodable: [] };
  }

  canList(): boolean {
    return true;
  }

  canRead(path: string): boolean {
    return this.#entry(path)?.hash !== undefined;
  }

  read(path: string, limit: number): Buffer | undefined {
    const hash = this.hash(path);
    return hash === undefined ? undefined : this.#options.contents.read(hash, limit);
  }

  hash(path: string): string | undefined {
    return this.#entry(path)?.hash;
  }

  open(path: string): number | undefined {
    const hash = this.hash(path);
    return hash === undefined ? undefined : this.#options.contents.open(hash);
  }

  isOpaque(): boolean {
    return false;
  }

  isCopy(path: string): boolean {
    return own(this.#options.sent.entries, path) !== undefined;
  }

  hasSeen(path: string): boolean {
    return this.isCopy(path);
  }

  close(): void {
    this.#vanished.clear();
  }

  #entry(path: string): FetchedEntry | undefined {
    return own(this.#options.fetched.entries, path);
  }

  #show(path: string): void {
    const end = path.lastIndexOf("/");
    const directory = end === -1 ? "" : path.slice(0, end);
    const names = this.#names.get(directory);
    if (names !== undefined) names.add(path.slice(end + 1));
    else {
      this.#names.set(directory, new Set([path.slice(end + 1)]));
      if (directory !== "") this.#show(directory);
    }
  }

  /** SECURITY: what the user has and the sandbox never had is not its to delete, so a directory stays for its sake. */
  #hasVanished(path: string): boolean {
    const known = this.#vanished.get(path);
    if (known !== undefined) return known;
    const { host } = this.#options;
    const isDirectory = host.look(path)?.kind === "directory";
    const listing = isDirectory ? host.list(path) : { names: [], undecodable: [] };
    const hasVanished =
      listing.undecodable.length === 0 &&
      listing.names.every((name) => {
        const child = `${path}/${name}`;
        return this.#gone.has(child) && this.#hasVanished(child);
      });
    this.#vanished.set(path, hasVanished);
    return hasVanished;
  }
}

/** SECURITY: paths are an agent's, and one may be called `__proto__`. */
function own<T>(record: Readonly<Record<string, T>>, path: string): T | undefined {
  return Object.hasOwn(record, path) ? record[path] : undefined;
}

function describe({ kind, mode, size, target, hash, stamp }: FetchedEntry): TreeEntry {
  const entry = { ...WHITEOUT, kind, mode, size, isWhiteout: false, stamp };
  const identity = `content ${hash ?? "unread"}`;
  return target === undefined ? { ...entry, identity } : { ...entry, identity, target };
}

const WHITEOUT: TreeEntry = {
  kind: "other",
  mode: 0,
  size: 0,
  isWhiteout: true,
  identity: "",
  stamp: "",
  changedAtNs: 0n,
  uid: 0,
  gid: 0,
};
