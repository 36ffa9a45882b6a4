import { readdir, rename } from "node:fs/promises";
import { join } from "node:path";
import { assert, CattlegridError } from "../../errors/error.ts";
import { measureTree } from "../../platform/tree-size.ts";
import type { SandboxLayers } from "../provider.ts";
import { isDirectory, layerIdOf, layerName, discardTree, type Directories } from "./directories.ts";

export interface LayerContext {
  directories(): Directories;
  /** Makes the directories of a sandbox that are not there. */
  makeDirectories(directory: string): void;
  isRunning(sandboxId: string): boolean;
}

/** Layers are what sandboxes wrote to their homes, renamed into a place where nothing changes them. */
export function createLayers(context: LayerContext): SandboxLayers {
  const pathOf = (layerId: string): string => {
    assert(layerId !== "", "a layer without an id");
    return join(context.directories().layers, layerName(layerId));
  };
  const rootOf = (layerId: string): string => join(context.directories().roots, layerName(layerId));
  return {
    async list() {
      const names = await readdir(context.directories().layers);
      return names.map(layerIdOf).toSorted();
    },
    async seal(sandboxId, layerId) {
      if (context.isRunning(sandboxId)) {
        throw new CattlegridError("SANDBOX_BUSY", `The sandbox ${sandboxId} still runs.`, {
          hint: "Stop it first.",
        });
      }
      const { sandboxes, trash } = context.directories();
      const sandbox = join(sandboxes, sandboxId);
      const home = join(sandbox, "home/upper");
      if (!(await isDirectory(home))) {
        throw new CattlegridError("SANDBOX_NOT_FOUND", `There is no sandbox ${sandboxId}.`);
      }
      // An equal id stands for equal content, so of two that were made at once either will do.
      if (await isDirectory(pathOf(layerId))) await discardTree(home, trash);
      else {
        await sealRoot(sandbox, rootOf(layerId), trash);
        await rename(home, pathOf(layerId));
      }
      await discardTree(join(sandbox, "home/work"), trash);
      context.makeDirectories(sandbox);
    },
    async remove(layerId) {
      const { trash } = context.directories();
      await discardTree(pathOf(layerId), trash);
      await discardTree(rootOf(layerId), trash);
    },
    async measure(layerId) {
      return (await measureTree(pathOf(layerId))) + (await measureTree(rootOf(layerId)));
    },
  };
}

/**
 * Keeps what was written to the root file system beside the home: before it, as the home's directory says that the layer is
 * there. Of one that a crash left alone, the next takes the place.
 */
async function sealRoot(sandbox: string, target: string, trash: string): Promise<void> {
  const upper = join(sandbox, "root/upper");
  if (!(await isDirectory(upper))) return;
  const etc = join(sandbox, "etc/upper");
  // A mount of its own inside, so that nothing else of this name was written.
  if (await isDirectory(etc)) await rename(etc, join(upper, "etc"));
  await discardTree(target, trash);
  await rename(upper, target);
  for (const tree of ["root", "etc"]) await discardTree(join(sandbox, tree), trash);
}
