import { statSync } from "node:fs";
import { join } from "node:path";
import { CattlegridError } from "../../../../errors/error.ts";
import type { SandboxSpecification } from "../../../provider.ts";
import type { CapturedContainer } from "../capture/way.ts";
import { listContainerInits } from "../capture/container-init.ts";

/**
 * SECURITY: what we mounted for the engine is there for it only if both see the same mounts. Where they do not, the sandbox
 * would have an empty directory, or the workspace without what protects it; so it is looked at from outside.
 */
export function checkStaged(
  { id }: CapturedContainer,
  { workspace }: SandboxSpecification,
  staged: string,
): void {
  if (workspace === undefined) return;
  const outside = look(staged);
  // Under gVisor it is the file server that sees them, not what runs the programs.
  for (const pid of listContainerInits(id)) {
    const inside = look(join(`/proc/${pid}/root`, workspace.path));
    const isSame =
      inside !== undefined && inside.dev === outside?.dev && inside.ino === outside.ino;
    if (workspace.mode === "overlay" ? inside !== undefined : isSame) return;
  }
  const message = `The Docker engine does not see what this machine mounts, so ${workspace.path} cannot be given to a sandbox by root.`;
  throw new CattlegridError("PROVIDER_UNSUPPORTED", message, {
    hint: "Run Cattlegrid as the ordinary user to whom the workspace belongs, or beside the engine.",
  });
}

function look(path: string): { dev: number; ino: number } | undefined {
  return statSync(path, { throwIfNoEntry: false });
}
