import { join } from "node:path";
import type { ChangeSource } from "../../changes/change-source.ts";
import { OverlayTree, type ChangedTree } from "../../changes/changed-tree.ts";
import { ChangeRecords } from "../../changes/journal.ts";
import { CattlegridError } from "../../errors/error.ts";
import type { Logger } from "../../platform/logger.ts";
import type { SandboxRow } from "../../store/sandbox-rows.ts";
import { resolveWorkspace, type WorkspaceSurroundings } from "../../workspace/workspace.ts";
import { isCopied, type Copies } from "./copies.ts";
import type { SandboxProvider } from "../provider.ts";
import { providerOf } from "../registry.ts";

export interface ChangeSourcesOptions {
  providers: readonly SandboxProvider[];
  surroundings: WorkspaceSurroundings;
  logger: Logger;
  copies: Copies;
  /** Throws SANDBOX_NOT_FOUND. */
  find(id: string): Promise<SandboxRow>;
}

type OpenedChanged = Pick<ChangeSource, "openChanged" | "begunAtNs"> & { discard(): Promise<void> };

export interface OpenedSource {
  source: ChangeSource;
  row: SandboxRow;
  /** Drops what was written. */
  discard(): Promise<void>;
}

/** Where the changes of a sandbox are read: in the directory of its overlay, or in what was fetched of its copy. */
export class ChangeSources {
  readonly #options: ChangeSourcesOptions;

  constructor(options: ChangeSourcesOptions) {
    this.#options = options;
  }

  /** Throws WORKSPACE_MODE_UNAVAILABLE, WORKSPACE_MISSING. */
  async open(id: string): Promise<OpenedSource> {
    const { surroundings, logger } = this.#options;
    const row = await this.#options.find(id);
    const { workspace } = row.specification;
    if (workspace?.mode !== "overlay") throw noOverlay(row);
    const real = await resolveWorkspace(workspace.path, surroundings);
    if (real !== workspace.path) {
      const message = `The workspace ${workspace.path} now leads to ${real} by a link.`;
      throw new CattlegridError("WORKSPACE_MISSING", message);
    }
    const { discard, ...changed } = await this.#openChanged(row);
    const source = {
      workspace: workspace.path,
      ...changed,
      records: this.records(id),
      onCorrupt: (error: unknown) =>
        logger.warn("what was applied is not known any more", { id, error }),
    };
    return { source, row, discard };
  }

  async find(id: string): Promise<ChangeSource> {
    return (await this.open(id)).source;
  }

  async #openChanged(row: SandboxRow): Promise<OpenedChanged> {
    const { providers, copies } = this.#options;
    const { id } = row;
    if (isCopied(row)) return { ...copies.open(id), discard: async () => copies.discard(id) };
    const { overlays } = providerOf(providers, row);
    const found = await overlays?.find(id);
    if (overlays === undefined || found === undefined) throw noOverlay(row);
    const { upper, begunAtNs } = found;
    const openChanged = (): ChangedTree => new OverlayTree(upper);
    return { openChanged, begunAtNs, discard: () => overlays.discard(id) };
  }

  records(id: string): ChangeRecords {
    return new ChangeRecords(join(this.#options.surroundings.stateDirectory, "changes", id));
  }
}

function noOverlay({ name, specification: { workspace } }: SandboxRow): CattlegridError {
  const what =
    workspace === null ? "has no workspace" : `has its workspace in mode ${workspace.mode}`;
  const message = `${name} ${what}: there are no changes to look at, apply or drop.`;
  return new CattlegridError("WORKSPACE_MODE_UNAVAILABLE", message, {
    hint:
      workspace?.mode === "clone"
        ? `Its work comes as a branch: \`cattlegrid fetch ${name}\`, then \`git diff\`.`
        : "Make the sandbox with --mode overlay to keep its changes apart until you apply them.",
  });
}
