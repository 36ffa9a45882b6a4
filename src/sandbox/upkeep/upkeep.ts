import { CattlegridError } from "../../errors/error.ts";
import type { Prunable, Prune } from "../../protocol/prune.ts";
import type { Sandbox, SandboxRecreate, SandboxRecreated } from "../../protocol/sandbox.ts";
import type { SandboxRow } from "../../store/sandbox-rows.ts";
import { findPrunable, prune, type PruningOptions } from "./pruning.ts";
import { providerOf } from "../registry.ts";
import { recreate, type RecreationOptions } from "../making/recreation.ts";

export interface UpkeepOptions extends PruningOptions, RecreationOptions {
  /** Settles what an earlier engine left. */
  recovered(): Promise<void>;
  show(row: SandboxRow): Promise<Sandbox>;
}

/** What is done about sandboxes that have grown old. Whoever calls has authorised the caller already. */
export interface Upkeep {
  /** Makes it anew under its name, with a fresh home. What fails leaves it as it was. Throws SANDBOX_BUSY. */
  recreate(id: string, request: SandboxRecreate, signal: AbortSignal): Promise<SandboxRecreated>;
  /** What may go without ending anything: sandboxes that did not run for `olderThanMs`, layers that none uses. */
  prunable(owner: string, olderThanMs: number): Promise<Prunable>;
  /** Removes what is named and may still go; tells what went. */
  prune(owner: string, request: Prune): Promise<Prunable>;
}

export function createUpkeep(options: UpkeepOptions): Upkeep {
  const { store, now, recovered } = options;
  const busy = new Set<string>();
  return {
    async recreate(id, request, signal) {
      const row = await store.sandboxes.get(id);
      if (row === undefined) {
        throw new CattlegridError("SANDBOX_NOT_FOUND", `There is no sandbox ${id}.`);
      }
      if (row.ephemeral || busy.has(id)) {
        throw new CattlegridError("SANDBOX_BUSY", `${row.name} cannot be made anew now.`);
      }
      providerOf(options.providers, row);
      refuseOwnCopy(row);
      busy.add(id);
      try {
        const made = await recreate(options, row, { request, signal });
        return { sandbox: await options.show(made.row), keptLogin: made.keptLogin };
      } finally {
        busy.delete(id);
      }
    },
    prunable: (owner, olderThanMs) =>
      findPrunable(options, { owner, beforeMs: now().getTime() - olderThanMs }),
    async prune(owner, request) {
      await recovered();
      return prune(options, owner, request);
    },
  };
}

/** What the agent changed in a copy of its own would go with the old sandbox. */
function refuseOwnCopy({ name, specification: { workspace } }: SandboxRow): void {
  if (workspace === null || workspace.mode === "direct" || workspace.mode === "readonly") return;
  const message = `${name} has its own copy of the workspace (mode ${workspace.mode}), which would be lost.`;
  throw new CattlegridError("REQUEST_INVALID", message, {
    hint: `Let its changes out, remove it with \`cattlegrid rm ${name}\`, and run it again.`,
  });
}
