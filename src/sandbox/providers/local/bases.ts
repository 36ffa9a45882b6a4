import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { assert } from "../../../errors/error.ts";
import { measureTree } from "../../../platform/tree-size.ts";
import { findDirectory } from "../../bases/directory.ts";
import type { SandboxBases } from "../../provider.ts";
import { discardTree, explainDiskError } from "../../storage/directories.ts";
import { unpackArchive, unpackImage } from "./base-filling.ts";
import { clearUnfinished, type BasesContext } from "./base-place.ts";

export interface LocalBases extends SandboxBases {
  /** Removes what an earlier engine left half made. */
  clear(): Promise<void>;
}

/** Root file systems that are unpacked once, each under a digest of what it was unpacked from. */
export function createBases(given: Omit<BasesContext, "filling">): LocalBases {
  const context = { ...given, filling: new Set<string>() };
  return {
    clear: () => clearUnfinished(context),
    async prepare(source, { signal }) {
      try {
        if (source.kind === "directory") return await findDirectory(source.path);
        if (source.kind === "tar") return await unpackArchive(context, source, signal);
        return await unpackImage(context, source, signal);
      } catch (error) {
        throw explainDiskError(error, context.directories().bases);
      }
    },
    list: async () =>
      (await readdir(context.directories().bases)).filter((name) => !name.includes(".")),
    measure: (id) => measureTree(join(context.directories().bases, id)),
    async remove(id) {
      assert(/^[a-z0-9-]+$/.test(id), "the id of a base is not plain");
      const { bases, trash } = context.directories();
      await discardTree(join(bases, id), trash);
    },
  };
}
