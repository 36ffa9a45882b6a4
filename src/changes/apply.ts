import { createPace } from "../platform/pace.ts";
import { Application, type Applied, type ApplyOptions, type ApplyWish } from "./application.ts";
import { readBaseline } from "./baseline.ts";
import { withTrees, type ChangeSource } from "./change-source.ts";
import { compareTrees } from "./comparison.ts";
import { findStandings } from "./judged-change.ts";
import { createMerger } from "./merging/merger.ts";
import { findWished, resolveConflicts } from "./selection.ts";
import { settle } from "./settling.ts";

/**
 * Brings changes of a sandbox to the host: all that are wished for and not held, or, when something is in the way, none. Ended at any
 * moment, it is taken to its end or back by the next call, before anything else.
 */
export async function applyChanges(
  source: ChangeSource,
  wish: ApplyWish,
  options: ApplyOptions,
): Promise<Applied> {
  await settle(source, options);
  return withTrees(source, async (trees) => {
    const pace = createPace(options.signal);
    const baseline = readBaseline(source.records.baselineFile, source.onCorrupt);
    const standings = await findStandings(await compareTrees(trees, pace), trees, {
      begunAtNs: source.begunAtNs,
      baseline,
      pace,
      merge: createMerger({ ...source, trees, signal: options.signal }),
    });
    const resolved = resolveConflicts(findWished(standings, wish), wish);
    const application = new Application(source, { trees, pace, baseline, ...options });
    application.keep(resolved.kept);
    return application.run(resolved, wish);
  });
}
