import { statSync } from "node:fs";
import { join } from "node:path";
import { CattlegridError } from "../../errors/error.ts";
import type { SandboxOverlays } from "../provider.ts";
import {
  discardTree,
  findWorkspaceUpper,
  makeWorkspaceDirectories,
  WORKSPACE,
  type Directories,
  type Owner,
} from "./directories.ts";

export interface OverlayContext {
  directories(): Directories;
  owner(): Owner | undefined;
  isRunning(sandboxId: string): boolean;
}

/** What sandboxes wrote over their workspaces lies in their own directories. */
export function createOverlays(context: OverlayContext): SandboxOverlays {
  const directoryOf = (sandboxId: string): string =>
    join(context.directories().sandboxes, sandboxId);
  return {
    find: async (sandboxId) => findWorkspaceUpper(directoryOf(sandboxId)),
    async discard(sandboxId) {
      // The kernel says that what is changed below a mounted overlay shows in undefined ways.
      if (context.isRunning(sandboxId)) {
        throw new CattlegridError(
          "SANDBOX_BUSY",
          "Changes of a running sandbox cannot be dropped.",
          {
            hint: "Stop it first with `cattlegrid stop NAME`.",
          },
        );
      }
      const directory = directoryOf(sandboxId);
      const found = findWorkspaceUpper(directory);
      if (found === undefined) return;
      const { mode } = statSync(found.upper);
      await discardTree(join(directory, WORKSPACE), context.directories().trash);
      makeWorkspaceDirectories(directory, mode, context.owner());
    },
  };
}
