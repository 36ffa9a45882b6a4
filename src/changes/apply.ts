import type { Hold } from "../airlock/change.ts";
import { CattlegridError } from "../errors/error.ts";
import { hasErrno } from "../platform/native/libc.ts";
import { readBaseline, renderBaseline, type Baseline } from "./baseline.ts";
import { commitSteps, isHalfWay } from "./commit.ts";
import { compareTrees, type Trees } from "./comparison.ts";
import type { ChangeRecords } from "./journal.ts";
import { findStandings, passAirlock, TEXT_BYTES_MAX, type JudgedChange } from "./judged-change.ts";
import { createPace, type Pace } from "../platform/pace.ts";
import { planSteps, type Step } from "./plan.ts";
import { prepare, type HunkChoice, type Prepared } from "./preparation.ts";
import { findWished, refuseConflicts, select, type Wish } from "./selection.ts";
import { chooseStagingPlace, Staging, type Owner } from "./staging.ts";
import { lookAt, Tree } from "./tree.ts";

export interface ChangeSource {
  workspace: string;
  upper: string;
  begunAtNs: bigint;
  records: ChangeRecords;
  onCorrupt(error: unknown): void;
}

export interface ApplyWish extends Wish {
  hunks: readonly HunkChoice[];
}

export interface ApplyOptions {
  signal: AbortSignal;
  /** Called at each point at which a test ends the process. */
  onPoint?(name: string): void;
}

export interface Applied {
  applied: readonly { path: string; kind: "added" | "modified" | "deleted" }[];
  held: readonly { path: string; holds: readonly Hold[] }[];
}

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
    });
    const wished = findWished(standings, wish);
    refuseConflicts(wished, wish);
    if (wished.length === 0) return { applied: [], held: [] };
    return new Application(source, { trees, pace, baseline, ...options }).run(wished, wish);
  });
}

/** Takes an interrupted application to its end, or, when the host has changed meanwhile, back. */
export async function settle(
  source: Pick<ChangeSource, "workspace" | "records">,
  options: ApplyOptions,
): Promise<void> {
  const { records } = source;
  const journal = records.readJournal();
  if (journal === undefined) return;
  const pace = createPace(options.signal);
  const staging = Staging.find(journal.staging);
  if (journal.phase === "committing" && staging !== undefined) {
    const host = new Tree(source.workspace);
    try {
      await commitSteps(
        journal.steps,
        { host, staging, owner: ownerOf(host), pace },
        { resumes: true },
      );
      records.recordCommit();
    } catch (error) {
      if (isHalfWay(error)) throw error;
      await staging.remove(pace);
      records.clear();
      throw error;
    } finally {
      host.close();
    }
  }
  if (journal.phase === "committed") records.recordCommit();
  await staging?.remove(pace);
  records.clear();
}

export async function withTrees<T>(
  { workspace, upper }: Pick<ChangeSource, "workspace" | "upper">,
  use: (trees: Trees) => Promise<T>,
): Promise<T> {
  using opened = new DisposableStack();
  const trees = {
    upper: opened.adopt(new Tree(upper), (tree) => tree.close()),
    host: opened.adopt(new Tree(workspace), (tree) => tree.close()),
  };
  return await use(trees);
}

interface ApplicationContext extends ApplyOptions {
  trees: Trees;
  pace: Pace;
  baseline: Baseline;
}

/** One application, from the journal's first line to its last. */
class Application {
  readonly #source: ChangeSource;
  readonly #context: ApplicationContext;

  constructor(source: ChangeSource, context: ApplicationContext) {
    this.#source = source;
    this.#context = context;
  }

  async run(wished: readonly JudgedChange[], wish: ApplyWish): Promise<Applied> {
    const { records, workspace } = this.#source;
    const { pace } = this.#context;
    const place = chooseStagingPlace(workspace);
    records.writeJournal({ phase: "preparing", version: 1, staging: place });
    this.#reach("journal");
    let staging: Staging | undefined;
    try {
      staging = Staging.make(place);
      this.#reach("staging");
      const done = await this.#prepareAndCommit(staging, wished, wish);
      await staging.remove(pace);
      this.#reach("cleaned");
      records.clear();
      return done;
    } catch (error) {
      if (isHalfWay(error)) throw error;
      await staging?.remove(createPace(NEVER));
      records.clear();
      throw explainDisk(error, workspace);
    }
  }

  async #prepareAndCommit(
    staging: Staging,
    wished: readonly JudgedChange[],
    wish: ApplyWish,
  ): Promise<Applied> {
    const { trees, pace, signal } = this.#context;
    const owner = ownerOf(trees.host);
    const prepared = await prepare(wished, wish.hunks, { trees, staging, owner, pace });
    this.#reach("prepared");
    const judged = await this.#judge(prepared, staging, signal);
    const { chosen, held } = select(judged, wish);
    const paths = new Set(chosen.map(({ path }) => path));
    const taken = prepared.filter(({ change }) => paths.has(change.path));
    await this.#commit(staging, taken, owner);
    return {
      applied: taken.map(({ change }) => ({ path: change.path, kind: kindOf(change) })),
      held: held.map(({ path, holds }) => ({ path, holds })),
    };
  }

  async #judge(
    prepared: readonly Prepared[],
    staging: Staging,
    signal: AbortSignal,
  ): Promise<JudgedChange[]> {
    const items = new Map(prepared.map(({ change, item }) => [change.path, item?.name]));
    using opened = new DisposableStack();
    const staged = opened.adopt(new Tree(staging.path), (tree) => tree.close());
    const changes = prepared.map(({ change }) => change);
    const parts = { host: this.#context.trees.host, after: readStaged(staged, items) };
    return await passAirlock(changes, parts, signal);
  }

  async #commit(
    staging: Staging,
    taken: readonly Prepared[],
    owner: Owner | undefined,
  ): Promise<void> {
    if (taken.length === 0) return;
    const { records } = this.#source;
    const { trees, pace, onPoint } = this.#context;
    const steps: readonly Step[] = planSteps(taken);
    const baseline = new Map(this.#context.baseline);
    for (const { change, result } of taken) baseline.set(change.path, result);
    staging.synchronise();
    const journal = { phase: "committing", version: 1, staging: staging.place, steps } as const;
    records.prepareCommit(journal, renderBaseline(baseline));
    this.#reach("committing");
    try {
      await commitSteps(steps, {
        host: trees.host,
        staging,
        owner,
        pace,
        ...(onPoint === undefined ? {} : { onStep: (index) => onPoint(`step ${index}`) }),
      });
    } catch (error) {
      if (!isHalfWay(error)) this.#noteTakenBack(taken);
      throw error;
    }
    this.#reach("taken");
    records.recordCommit();
    this.#reach("recorded");
  }

  /** What was put away and back again has a new change time, which must not look like a change of the host's. */
  #noteTakenBack(taken: readonly Prepared[]): void {
    const baseline = new Map(this.#context.baseline);
    for (const { change } of taken) {
      const { path, before, conflict, hostDigest } = change;
      if (before !== undefined && conflict === undefined) baseline.set(path, hostDigest);
    }
    this.#source.records.noteTakenBack(renderBaseline(baseline));
  }

  #reach(point: string): void {
    this.#context.onPoint?.(point);
  }
}

const NEVER = new AbortController().signal;

function explainDisk(error: unknown, workspace: string): unknown {
  if (!hasErrno(error, "ENOSPC", "EDQUOT")) return error;
  const message = `Nothing was applied: the disk that holds ${workspace}, or the state, is full.`;
  return new CattlegridError("DISK_FULL", message, { cause: error });
}

function readStaged(
  staged: Tree,
  items: ReadonlyMap<string, string | undefined>,
): (change: JudgedChange) => Buffer | undefined {
  return ({ path }) => {
    const name = items.get(path);
    return name === undefined ? undefined : staged.read(name, TEXT_BYTES_MAX);
  };
}

/** As root, files come out as those of whoever owns the workspace; anybody else makes their own. */
function ownerOf(host: Tree): Owner | undefined {
  if (process.getuid?.() !== 0) return undefined;
  return lookAt({ directory: host.root, name: "." });
}

export function kindOf({ before, after }: JudgedChange): "added" | "modified" | "deleted" {
  if (after === undefined) return "deleted";
  return before === undefined ? "added" : "modified";
}
