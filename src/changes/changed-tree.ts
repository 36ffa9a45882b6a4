import { Tree, type Listing, type TreeEntry } from "./tree.ts";

/** A tree whose files are read whole or not at all. */
export interface ReadableTree {
  /** Undefined for what does not exist. */
  look(path: string): TreeEntry | undefined;
  list(path: string): Listing;
  /** A file's bytes, at most `limit`; undefined when it is none, is larger, or cannot be read. */
  read(path: string, limit: number): Buffer | undefined;
  /** SHA-256 of a file's content; undefined when it is no file or cannot be read. */
  hash(path: string): string | undefined;
}

/** What a sandbox changed in its workspace: what it wrote, with marks (`isWhiteout`) at what it deleted. */
export interface ChangedTree extends ReadableTree {
  /** False for a directory that may not be read, or is none. */
  canList(path: string): boolean;
  canRead(path: string): boolean;
  /** An open file for its reader to close; undefined as with `read`. */
  open(path: string): number | undefined;
  /** Nothing of the host shows in the directory. */
  isOpaque(path: string): boolean;
  /** The file began as a copy of one of the host's. */
  isCopy(path: string): boolean;
  /** Whether the sandbox was shown what the host had there when it began. */
  hasSeen(path: string): boolean;
  close(): void;
}

/** overlayfs marks with it a directory under which nothing of the host shows. */
const OPAQUE = "user.overlay.opaque";
/** overlayfs marks with it what it copied up from the host before it was changed. */
const ORIGIN = "user.overlay.origin";

/** The upper directory of an overlay, through which the sandbox sees all of the workspace. */
export class OverlayTree extends Tree implements ChangedTree {
  canRead(path: string): boolean {
    return this.withFile(path, () => true) === true;
  }

  isOpaque(path: string): boolean {
    return this.attribute(path, OPAQUE) === "y";
  }

  isCopy(path: string): boolean {
    return this.attribute(path, ORIGIN) !== undefined;
  }

  hasSeen(): boolean {
    return true;
  }
}
