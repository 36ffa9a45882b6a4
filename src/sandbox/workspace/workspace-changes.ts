import { applyChanges } from "../../changes/apply.ts";
import { settle } from "../../changes/settling.ts";
import type { Applied, ApplyWish } from "../../changes/application.ts";
import { baselineOf, renderBaseline } from "../../changes/baseline.ts";
import type { ChangeRecords } from "../../changes/journal.ts";
import {
  countChanges,
  readChanges,
  type ReadingOptions,
  type ShownChange,
} from "../../changes/reading.ts";
import { Tree } from "../../changes/tree.ts";
import { CattlegridError } from "../../errors/error.ts";
import type { Logger } from "../../platform/logger.ts";
import type { SandboxRow } from "../../store/sandbox-rows.ts";
import { createBeginnings } from "./beginnings.ts";
import { ChangeSources, type ChangeSourcesOptions } from "./change-sources.ts";
import { isCopied } from "./copies.ts";
import { OperationQueues } from "../life/operation-queues.ts";
import { createCopyFetching } from "./copy-fetching.ts";
import type { LaunchedSandbox } from "../life/launch.ts";
import type { StartContext } from "../life/lifecycle.ts";
import type { RunningSandbox } from "../provider.ts";

export interface WorkspaceChangesOptions extends ChangeSourcesOptions {
  running(id: string): RunningSandbox | undefined;
}

/**
 * What sandboxes in mode `overlay` changed; of a copied workspace as it was fetched last, which is done first while they run. All but
 * `count` throw WORKSPACE_MODE_UNAVAILABLE for one in another mode.
 */
export interface WorkspaceChanges {
  read(
    id: string,
    options: ReadingOptions,
    signal: AbortSignal,
  ): Promise<{ changes: readonly ShownChange[]; isCut: boolean; isOlder?: true }>;
  /** Throws CHANGES_CONFLICT, CHANGE_NOT_FOUND, CHANGE_STALE, or SANDBOX_BUSY for an approval while it runs. */
  apply(id: string, wish: ApplyWish, signal: AbortSignal): Promise<Applied>;
  /** Drops every change of a stopped sandbox. Throws SANDBOX_BUSY while it runs. */
  discard(id: string): Promise<void>;
  /**
   * Launches it, gives it its copy where it needs one, and notes what it begins from: in part before, the rest while it runs. Later
   * operations wait for that.
   */
  begin(
    row: SandboxRow,
    context: StartContext,
    launch: () => Promise<LaunchedSandbox>,
  ): Promise<LaunchedSandbox>;
  /** Brings what changed in a copied workspace of a running sandbox; does nothing for every other one. Throws CHANGES_UNREACHABLE. */
  fetch(id: string, signal: AbortSignal): Promise<void>;
  /** The same for the last time before it ends. Never fails: what was not brought out shows in `isFetched`. */
  finish(id: string): Promise<void>;
  /** Whether nothing was changed inside since it was brought out. True for what is not copied. */
  isFetched(row: SandboxRow): boolean;
  /** How many are not applied, at least 1 where some could not be brought out; 0 for a sandbox without an overlay. */
  count(id: string, signal: AbortSignal): Promise<number>;
  /** The sandbox is removed: an interrupted application is finished, then what was recorded goes too. */
  forget(row: SandboxRow): Promise<void>;
  /** Gives up what `began` still does. */
  close(): void;
}

export function createWorkspaceChanges(options: WorkspaceChangesOptions): WorkspaceChanges {
  // Each settles what an interrupted one before it has left.
  const queues = new OperationQueues();
  const inTurn = queues.run.bind(queues);
  const { copies, logger } = options;
  const sources = new ChangeSources(options);
  const fetching = createCopyFetching(options);
  const beginnings = createBeginnings({ logger, open: (id) => sources.find(id) });
  return {
    read: (id, reading, signal) =>
      inTurn(id, async () => {
        await fetching.fetch(id, signal);
        const { source, row } = await sources.open(id);
        const found = await readChanges(source, reading, signal);
        return fetching.isOlder(row) ? { ...found, isOlder: true } : found;
      }),
    apply: (id, wish, signal) =>
      inTurn(id, async () => {
        await fetching.fetch(id, signal);
        const { source, row } = await sources.open(id);
        if (options.running(id) !== undefined) refuseApproval(row, wish);
        return applyChanges(source, wish, { signal });
      }),
    discard: (id) =>
      inTurn(id, async () => {
        const { source, row, discard } = await sources.open(id);
        if (isCopied(row) && options.running(id) !== undefined) throw dropsRunning(row);
        await discard();
        source.records.remove();
      }),
    async begin(row, context, launch) {
      const { id, specification } = row;
      const { workspace } = specification;
      if (workspace?.mode !== "overlay") return launch();
      beginRecords(workspace.path, sources.records(id));
      const launched = await launch();
      await inTurn(id, () => fetching.send(row, context, launched));
      void inTurn(id, () => beginnings.note(id));
      return launched;
    },
    count: (id, signal) =>
      inTurn(id, async () => {
        const row = await options.find(id);
        if (row.specification.workspace?.mode !== "overlay") return 0;
        await fetching.fetch(id, signal);
        const known = await countChanges((await sources.open(id)).source, signal);
        return fetching.isOlder(row) ? Math.max(known, 1) : known;
      }),
    async forget(row) {
      beginnings.abandon(row.id);
      await queues.finish(row.id);
      await forgetRecords(row, sources.records(row.id), logger);
      copies.discard(row.id);
    },
    fetch: (id, signal) => inTurn(id, () => fetching.fetch(id, signal)),
    finish: async (id) =>
      isCopied(await options.find(id)) ? inTurn(id, () => fetching.finish(id)) : undefined,
    isFetched: (row) => fetching.isFetched(row),
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

async function forgetRecords(
  { id, specification: { workspace } }: SandboxRow,
  records: ChangeRecords,
  logger: Logger,
): Promise<void> {
  try {
    const signal = new AbortController().signal;
    if (workspace !== null) await settle({ workspace: workspace.path, records }, { signal });
  } catch (error) {
    logger.warn("an interrupted application was not finished", { id, error });
  }
  records.remove();
}

function dropsRunning({ name }: SandboxRow): CattlegridError {
  return new CattlegridError("SANDBOX_BUSY", "Changes of a running sandbox cannot be dropped.", {
    hint: `Stop it first with \`cattlegrid stop ${name}\`.`,
  });
}

/** SECURITY: what a person approves is what they saw, so it must not be able to change any more. */
function refuseApproval({ name }: SandboxRow, { approve }: ApplyWish): void {
  if (approve.length === 0) return;
  const message = `${name} runs: what you approve could change before it is applied.`;
  throw new CattlegridError("SANDBOX_BUSY", message, {
    hint: `Stop it with \`cattlegrid stop ${name}\`, look again with \`cattlegrid diff ${name}\`, then approve.`,
  });
}
