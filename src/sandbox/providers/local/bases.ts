import { createHash } from "node:crypto";
import { existsSync, lstatSync, realpathSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { assert, CattlegridError } from "../../../errors/error.ts";
import { measureTree } from "../../../platform/tree-size.ts";
import type { SandboxBase, SandboxBases } from "../../provider.ts";
import { discardTree, explainDiskError, isDirectory } from "../../storage/directories.ts";
import { unpackArchive } from "./base-archive.ts";
import { unpackImage } from "./base-image.ts";
import { requireShell, type BasesContext } from "./base-place.ts";

const DIGITS = 32;

/** Root file systems that are unpacked once, each under a digest of what it was unpacked from. */
export function createBases(context: BasesContext): SandboxBases {
  return {
    async prepare(source, { signal }) {
      try {
        if (source.kind === "directory") return await lookAtDirectory(source.path);
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

/** As it is: what is changed in it later is another base. */
async function lookAtDirectory(path: string): Promise<SandboxBase> {
  const directory = existsSync(path) ? realpathSync(path) : path;
  if (!(await isDirectory(directory))) {
    throw new CattlegridError("BASE_INVALID", `The base ${path} is no directory.`);
  }
  requireShell(directory, path);
  const facts = [];
  for (const name of ["", "usr", "etc", "var/lib/dpkg/status", "lib/apk/db/installed"]) {
    const found = lstatSync(join(directory, name), { throwIfNoEntry: false });
    facts.push([found?.dev, found?.ino, found?.mtimeMs]);
  }
  return { id: `directory-${digest(JSON.stringify([directory, facts]))}`, directory };
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, DIGITS);
}
