import { chownSync, mkdirSync, readdirSync, rmdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { hasErrno } from "../../../../platform/native/libc.ts";
import { detachMount, mountOverlay } from "../../../../platform/native/mount.ts";
import { sandboxMemory, STATE, type StagePlan } from "./message.ts";

/** Mounts of a sandbox that its runtime is given, and the directory in which the runtime keeps its state. */
export class Stage {
  readonly #memory: string;
  readonly #mounted: string[] = [];

  constructor(sandbox: number) {
    this.#memory = sandboxMemory(sandbox);
  }

  set({ overlays, owner }: StagePlan): void {
    for (const { name, options } of overlays) {
      const target = join(this.#memory, name);
      mkdirSync(target);
      this.#mounted.push(target);
      mountOverlay(target, options);
    }
    const state = join(this.#memory, STATE);
    // SECURITY: the runtime's own user may enter it, and nothing inside sees it.
    mkdirSync(state, { mode: 0o700 });
    chownSync(state, owner.uid, owner.gid);
  }

  /** SECURITY: only the runtime's state is removed with what is in it; a mount that is still there makes this fail. */
  clear(): void {
    for (const target of this.#mounted.splice(0).toReversed()) {
      detachMount(target);
      rmdirSync(target);
    }
    rmSync(join(this.#memory, STATE), { recursive: true, force: true });
    removeDirectories(join(this.#memory, "root"));
  }
}

/**
 * The runtime makes mount points in the root directory itself.
 * SECURITY: empty directories only, so that nothing behind a mount can be lost.
 */
function removeDirectories(path: string): void {
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (entry.isDirectory()) removeDirectories(join(path, entry.name));
  }
  try {
    rmdirSync(path);
  } catch (error) {
    // Links are removed by name, with the rest of the layout.
    if (!hasErrno(error, "ENOTEMPTY")) throw error;
  }
}
