import type { Fetched } from "../../protocol/fetch.ts";
import { CattlegridError } from "../../errors/error.ts";
import type { SandboxRow } from "../../store/sandbox-rows.ts";
import type { Store } from "../../store/store.ts";
import type { Clones, FetchedWork } from "./clones.ts";
import type { SandboxProvider } from "../provider.ts";
import { providerOf } from "../registry.ts";

export interface FetchingOptions {
  store: Store;
  providers: readonly SandboxProvider[];
  clones: Clones;
}

export interface Fetching {
  /** Brings the work of a sandbox in mode `clone` into the user's repository. */
  fetch(id: string, approve: readonly string[], signal: AbortSignal): Promise<Fetched>;
  /** The same where there is a clone with something in it; does nothing for every other sandbox. */
  fetchWhatThereIs(row: SandboxRow): Promise<void>;
}

const NEVER: AbortSignal = new AbortController().signal;

export function createFetching({ store, providers, clones }: FetchingOptions): Fetching {
  let queue: Promise<unknown> = Promise.resolve();

  const fetchNext = async (
    id: string,
    approve: readonly string[],
    signal: AbortSignal,
  ): Promise<Fetched> => {
    const row = await store.sandboxes.get(id);
    if (row === undefined) {
      throw new CattlegridError("SANDBOX_NOT_FOUND", "The sandbox was removed.");
    }
    const provider = providerOf(providers, row);
    const work = await clones.fetch(row, provider, { approve, signal });
    const latest = (await store.sandboxes.get(id)) ?? row;
    const specification = { ...latest.specification, clone: work.clone };
    await store.sandboxes.update(id, { specification });
    return show(work);
  };

  return {
    fetch(id, approve, signal) {
      // One at a time: each begins with where the one before left the branch.
      const fetched = queue.then(() => fetchNext(id, approve, signal));
      queue = Promise.allSettled([fetched]);
      return fetched;
    },
    async fetchWhatThereIs(row) {
      if (row.specification.clone === undefined || !clones.has(row.id)) return;
      await this.fetch(row.id, [], NEVER);
    },
  };
}

function show(work: FetchedWork): Fetched {
  const { outcome, branch, heldRef, commit, hasUncommitted, otherBranches, entries } = work;
  return {
    outcome,
    branch,
    ...(outcome === "held" ? { heldRef } : {}),
    commit,
    hasUncommitted,
    otherBranches: [...otherBranches],
    changes: entries.length,
    held: entries
      .filter(({ verdict }) => verdict === "held")
      .map(({ path, holds }) => ({
        path,
        reasons: holds.map(({ reason }) => reason),
      })),
  };
}
