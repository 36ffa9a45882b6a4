import type { Hold } from "../airlock/change.ts";
import { CattlegridError } from "../errors/error.ts";
import { hasErrno } from "../platform/native/libc.ts";
import { createPace, type Pace } from "../platform/pace.ts";
import { renderBaseline, type Baseline } from "./baseline.ts";
import type { ChangeSource } from "./change-source.ts";
import { kindOf } from "./change.ts";
import { commitSteps, isHalfWay } from "./commit.ts";
import type { Trees } from "./comparison.ts";
import { passAirlock, type JudgedChange } from "./judged-change.ts";
import { planSteps } from "./plan.ts";
import { prepare, type HunkChoice, type Prepared } from "./preparation.ts";
import { select, type Resolved, type Wish } from "./selection.ts";
import { listStagingPlaces, Staging, type Owner, ownerOf, type StagingPlace } from "./staging.ts";
import type { Step } from "./step.ts";
import { TEXT_BYTES_MAX, toText } from "./text.ts";
import { Tree } from "./tree.ts";

export interface ApplyWish extends Wish {
  hunks: readonly HunkChoice[];
}

export interface ApplyOptions {
  signal: AbortSignal;
  /** Called at each point at which a test ends the process. */
  onPoint?(name: string): void;
}

export interface Applied {
  applied: readonly AppliedChange[];
  held: readonly { path: string; holds: readonly Hold[] }[];
  /** Where the host's version stays, as was wished. */
  kept?: readonly string[];
}

export interface AppliedChange {
  path: string;
  kind: "added" | "modified" | "deleted";
  /** The host has the changes of both sides now; or, of a conflict, both versions between marks. */
  merged?: "clean" | "marked";
}

export interface ApplicationContext extends ApplyOptions {
  trees: Trees;
  pace: Pace;
  baseline: Baseline;
}

/** One application, from the journal's first line to its last. */
export class Application {
  readonly #source: ChangeSource;
  #context: ApplicationContext;

  constructor(source: ChangeSource, context: ApplicationContext) {
    this.#source = source;
    this.#context = context;
  }

  /** Settles for the host's version: what the sandbox has there now is nothing new any more. */
  keep(changes: readonly JudgedChange[]): void {
    if (changes.length === 0) return;
    const { records } = this.#source;
    const baseline = new Map(this.#context.baseline);
    for (const { path, sandboxDigest } of changes) {
      const content = this.#context.trees.upper.read(path, TEXT_BYTES_MAX);
      if (toText(content) !== undefined && content !== undefined) records.texts.put(content);
      baseline.set(path, sandboxDigest);
    }
    records.replaceBaseline(renderBaseline(baseline));
    this.#context = { ...this.#context, baseline };
  }

  async run({ wished, kept }: Resolved, wish: ApplyWish): Promise<Applied> {
    const done = wished.length === 0 ? { applied: [], held: [] } : await this.#apply(wished, wish);
    return kept.length === 0 ? done : { ...done, kept: kept.map(({ path }) => path) };
  }

  async #apply(wished: readonly JudgedChange[], wish: ApplyWish): Promise<Applied> {
    const { records, workspace } = this.#source;
    const { pace } = this.#context;
    let staging: Staging | undefined;
    try {
      staging = this.#openStaging();
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

  #openStaging(): Staging {
    const [beside, within] = listStagingPlaces(this.#source.workspace);
    this.#announce(beside);
    const staging = Staging.tryMake(beside, this.#source.workspace);
    if (staging !== undefined) return staging;
    this.#announce(within);
    return Staging.make(within);
  }

  /** Before it is made: whoever comes after a crash removes what the journal names. */
  #announce(place: StagingPlace): void {
    this.#source.records.writeJournal({ phase: "preparing", version: 1, staging: place });
    this.#reach("journal");
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
      applied: taken.map(({ change }) => tell(change)),
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
    for (const { change, result } of taken) {
      if (result !== undefined) baseline.set(change.path, result);
    }
    this.#keepTexts(staging, taken);
    const takenBack = renderBaseline(this.#baselineTakenBack(taken));
    const committed = renderBaseline(baseline);
    staging.synchronise();
    const journal = { phase: "committing", version: 1, staging: staging.place, steps } as const;
    records.prepareCommit(journal, { committed, takenBack });
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
      if (!isHalfWay(error)) records.recordTakenBack();
      throw error;
    }
    this.#reach("taken");
    records.recordCommit();
    this.#reach("recorded");
    records.dropUnused(baseline.values());
  }

  /** Of what both sides are going to have in common, so that later changes of both can be merged. */
  #keepTexts(staging: Staging, taken: readonly Prepared[]): void {
    const { texts } = this.#source.records;
    using opened = new DisposableStack();
    const staged = opened.adopt(new Tree(staging.path), (tree) => tree.close());
    let room = KEPT_BYTES_MAX;
    for (const { change, item, result } of taken) {
      if (item === undefined || result === undefined) continue;
      const isStaged = change.merged === undefined;
      const from = isStaged ? staged : this.#context.trees.upper;
      const name = isStaged ? item.name : change.path;
      const content = from.read(name, Math.min(room, TEXT_BYTES_MAX));
      if (content === undefined || toText(content) === undefined) continue;
      room -= content.length;
      texts.put(content);
    }
  }

  /** What was put away and back again has a new change time, which must not look like a change of the host's. */
  #baselineTakenBack(taken: readonly Prepared[]): Baseline {
    const baseline = new Map(this.#context.baseline);
    for (const { change } of taken) {
      const { path, before, conflict, hostDigest } = change;
      if (before !== undefined && conflict === undefined) baseline.set(path, hostDigest);
    }
    return baseline;
  }

  #reach(point: string): void {
    this.#context.onPoint?.(point);
  }
}

const NEVER = new AbortController().signal;
/** Of texts that one application keeps for later merges; what is beyond is in conflict when both sides change it. */
const KEPT_BYTES_MAX = 64 * 1024 * 1024;

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

function tell({ marked, merged, ...change }: JudgedChange): AppliedChange {
  const { path } = change;
  if (merged === undefined) return { path, kind: kindOf(change) };
  return { path, kind: "modified", merged: merged === marked ? "marked" : "clean" };
}
