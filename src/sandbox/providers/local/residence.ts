import { ResidentKeeper, type KeeperResidence, type LaunchedKeeper } from "./resident-keeper.ts";
import { removeRuntimeFiles } from "./runtimes/runtime-files.ts";
import type { OciRuntime } from "./runtimes/oci-runtime.ts";
import { readRuntimeVersion } from "./runtimes/version.ts";

/** A runtime that was found on this machine. */
export interface FoundRuntime {
  runtime: OciRuntime;
  program: string;
}

export interface ResidenceOptions {
  /** Of this residence alone. */
  runtimeDirectory: string;
  /** Looked for when first needed, the preferred one first; throws a typed refusal where there is none. */
  find(): readonly [FoundRuntime, ...FoundRuntime[]];
  host(): Omit<KeeperResidence, "program" | "withRange" | "runtimeDirectory">;
}

/** One grade of isolation: its runtime, and the keeper under which it runs sandboxes. */
export class Residence {
  readonly #options: ResidenceOptions;
  readonly #keeper: ResidentKeeper;
  #candidates: ReturnType<ResidenceOptions["find"]> | undefined;
  #chosen: FoundRuntime | undefined;
  #settled: Promise<void> | undefined;
  readonly #versions = new Map<string, Promise<string>>();

  constructor(options: ResidenceOptions) {
    this.#options = options;
    this.#keeper = new ResidentKeeper(() => {
      const { program, runtime } = this.runtime;
      const { runtimeDirectory } = options;
      return { ...options.host(), program, withRange: runtime.needsRange, runtimeDirectory };
    });
  }

  /** The one in use. */
  get runtime(): FoundRuntime {
    return this.#chosen ?? this.#find()[0];
  }

  get isWanted(): boolean {
    return this.#keeper.isWanted;
  }

  launch(): Promise<LaunchedKeeper> {
    return this.#keeper.get();
  }

  /**
   * Chooses among several runtimes the first one that holds a trial. One alone is tried where versions of it are about
   * that do not. SECURITY: nothing runs under a runtime that failed, and what runs in its place holds as much.
   */
  settle(attempt: () => Promise<void>): Promise<void> {
    // Several may wait for it, so that none of them stops it.
    const settled = this.#settled ?? this.#settle(attempt);
    this.#settled = settled;
    // What failed may have been mended by the next time.
    settled.catch(() => {
      if (this.#settled === settled) this.#settled = undefined;
    });
    return settled;
  }

  /** Name and version as the runtime states them. */
  version(): Promise<string> {
    const { program } = this.runtime;
    const version = this.#versions.get(program) ?? readRuntimeVersion(program);
    this.#versions.set(program, version);
    return version;
  }

  /** Removes what an earlier keeper left, unless one is there now. */
  async clear(): Promise<void> {
    if (!this.#keeper.isWanted) await removeRuntimeFiles(this.#options.runtimeDirectory);
  }

  async close(): Promise<void> {
    await this.#keeper.kill();
    await removeRuntimeFiles(this.#options.runtimeDirectory);
  }

  async #settle(attempt: () => Promise<void>): Promise<void> {
    const candidates = this.#find();
    const [preferred] = candidates;
    if (candidates.length === 1 && !preferred.runtime.needsTrial) return;
    const failures: unknown[] = [];
    for (const candidate of candidates) {
      this.#chosen = candidate;
      try {
        await attempt();
        return;
      } catch (error) {
        failures.push(error);
        await this.#keeper.kill();
      }
    }
    this.#chosen = preferred;
    throw failures[0];
  }

  #find(): readonly [FoundRuntime, ...FoundRuntime[]] {
    this.#candidates ??= this.#options.find();
    return this.#candidates;
  }
}
