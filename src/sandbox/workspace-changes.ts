import { join } from "node:path";
import {
  applyChanges,
  settle,
  type Applied,
  type ApplyWish,
  type ChangeSource,
} from "../changes/apply.ts";
import { baselineOf, renderBaseline } from "../changes/baseline.ts";
import { OverlayTree } from "../changes/changed-tree.ts";
import { ChangeRecords } from "../changes/journal.ts";
import {
  countChanges,
  readChanges,
  type ReadingOptions,
  type ShownChange,
} from "../changes/reading.ts";
import { Tree } from "../changes/tree.ts";
import { CattlegridError } from "../errors/error.ts";
import type { Logger } from "../platform/logger.ts";
import type { SandboxRow } from "../store/sandbox-rows.ts";
import { resolveWorkspace, type WorkspaceSurroundings } from "../workspace/workspace.ts";
import { createBeginnings } from "./beginnings.ts";
import type { SandboxOverlays, SandboxProvider } from "./provider.ts";
import { providerOf } from "./registry.ts";

export interface WorkspaceChangesOptions {
  providers: readonly SandboxProvider[];
  surroundings: WorkspaceSurroundings;
  logger: Logger;
  /** Throws SANDBOX_NOT_FOUND. */
  find(id: string): Promise<SandboxRow>;
  isRunning(id: string): boolean;
}

/** What sandboxes in mode `overlay` changed. All but `count` throw WORKSPACE_MODE_UNAVAILABLE for one in another mode. */
export interface WorkspaceChanges {
  read(
    id: string,
    options: ReadingOptions,
    signal: AbortSignal,
  ): Promise<{ changes: readonly ShownChange[]; isCut: boolean }>;
  /** Throws CHANGES_CONFLICT, CHANGE_NOT_FOUND, CHANGE_STALE, or SANDBOX_BUSY for an approval while it runs. */
  apply(id: string, wish: ApplyWish, signal: AbortSignal): Promise<Applied>;
  /** Drops every change of a stopped sandbox. Throws SANDBOX_BUSY while it runs. */
  discard(id: string): Promise<void>;
  /** Launches it, and notes what it begins from: in part before, the rest while it runs. Later operations wait for that. */
  begin<T>(row: SandboxRow, launch: () => Promise<T>): Promise<T>;
  /** How many are not applied; 0 for a sandbox without an overlay. */
  count(id: string, signal: AbortSignal): Promise<number>;
  /** The sandbox is removed: an interrupted application is finished, then what was recorded goes too. */
  forget(row: SandboxRow): Promise<void>;
  /** Gives up what `began` still does. */
  close(): void;
}

export function createWorkspaceChanges(options: WorkspaceChangesOptions): WorkspaceChanges {
  const queues = new Map<string, Promise<unknown>>();
  /** One operation at a time per sandbox: each settles what an interrupted one before it has left. */
  const inTurn = <T>(id: string, work: () => Promise<T>): Promise<T> => {
    const done = (queues.get(id) ?? Promise.resolve()).then(work);
    queues.set(id, Promise.allSettled([done]));
    return done;
  };
  const sources = new ChangeSources(options);
  const open = async (id: string): Promise<ChangeSource> => (await sources.open(id)).source;
  const beginnings = createBeginnings({ logger: options.logger, open });
  return {
    read: (id, reading, signal) =>
      inTurn(id, async () => readChanges((await sources.open(id)).source, reading, signal)),
    apply: (id, wish, signal) =>
      inTurn(id, async () => {
        const { source, row } = await sources.open(id);
        // SECURITY: what a person approves is what they saw, so it must not be able to change any more.
        if (wish.approve.length > 0 && options.isRunning(id)) throw approvesRunning(row);
        return applyChanges(source, wish, { signal });
      }),
    discard: (id) =>
      inTurn(id, async () => {
        const { source, overlays } = await sources.open(id);
        await overlays.discard(id);
        source.records.remove();
      }),
    async begin({ id, specification: { workspace } }, launch) {
      if (workspace?.mode !== "overlay") return launch();
      beginRecords(workspace.path, sources.records(id));
      const launched = await launch();
      void inTurn(id, () => beginnings.note(id));
      return launched;
    },
    count: (id, signal) =>
      inTurn(id, async () => {
        const row = await options.find(id);
        if (row.specification.workspace?.mode !== "overlay") return 0;
        return countChanges((await sources.open(id)).source, signal);
      }),
    async forget({ id, specification: { workspace } }) {
      beginnings.abandon(id);
      await queues.get(id);
      queues.delete(id);
      const records = sources.records(id);
      try {
        const signal = new AbortController().signal;
        if (workspace !== null) await settle({ workspace: workspace.path, records }, { signal });
      } catch (error) {
        options.logger.warn("an interrupted application was not finished", { id, error });
      }
      records.remove();
    },
    close: () => beginnings.close(),
  };
}

function beginRecords(workspace: string, records: ChangeRecords): void {
  const host = new Tree(workspace);
  try {
    const baseline = baselineOf(host);
    if (baseline !== undefined) records.begin(renderBaseline(baseline));
  } finally {
    host.close();
  }
}

class ChangeSources {
  readonly #options: WorkspaceChangesOptions;

  constructor(options: WorkspaceChangesOptions) {
    this.#options = options;
  }

  async open(
    id: string,
  ): Promise<{ source: ChangeSource; overlays: SandboxOverlays; row: SandboxRow }> {
    const { providers, surroundings, logger } = this.#options;
    const row = await this.#options.find(id);
    const { workspace } = row.specification;
    const { overlays } = providerOf(providers, row);
    if (workspace?.mode !== "overlay" || overlays === undefined) throw noOverlay(row);
    const real = await resolveWorkspace(workspace.path, surroundings);
    if (real !== workspace.path) {
      const message = `The workspace ${workspace.path} now leads to ${real} by a link.`;
      throw new CattlegridError("WORKSPACE_MISSING", message);
    }
    const found = await overlays.find(id);
    if (found === undefined) throw noOverlay(row);
    const { upper, begunAtNs } = found;
    const source = {
      workspace: workspace.path,
      openChanged: () => new OverlayTree(upper),
      begunAtNs,
      records: this.records(id),
      onCorrupt: (error: unknown) =>
        logger.warn("what was applied is not known any more", { id, error }),
    };
    return { source, overlays, row };
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

function approvesRunning({ name }: SandboxRow): CattlegridError {
  const message = `${name} runs: what you approve could change before it is applied.`;
  return new CattlegridError("SANDBOX_BUSY", message, {
    hint: `Stop it with \`cattlegrid stop ${name}\`, look again with \`cattlegrid diff ${name}\`, then approve.`,
  });
}
