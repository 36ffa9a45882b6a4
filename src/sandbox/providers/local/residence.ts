import { ResidentKeeper, type KeeperResidence, type LaunchedKeeper } from "./resident-keeper.ts";
import { removeRuntimeFiles } from "./runtime-files.ts";
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
  /** Looked for when first needed; throws a typed refusal where there is none. */
  find(): FoundRuntime;
  host(): Omit<KeeperResidence, "program" | "withRange" | "runtimeDirectory">;
}

/** One grade of isolation: its runtime, and the keeper under which it runs sandboxes. */
export class Residence {
  readonly #options: ResidenceOptions;
  readonly #keeper: ResidentKeeper;
  #found: FoundRuntime | undefined;
  #version: Promise<string> | undefined;

  constructor(options: ResidenceOptions) {
    this.#options = options;
    this.#keeper = new ResidentKeeper(() => {
      const { program, runtime } = this.find();
      const { runtimeDirectory } = options;
      return { ...options.host(), program, withRange: runtime.needsRange, runtimeDirectory };
    });
  }

  find(): FoundRuntime {
    this.#found ??= this.#options.find();
    return this.#found;
  }

  get isWanted(): boolean {
    return this.#keeper.isWanted;
  }

  launch(): Promise<LaunchedKeeper> {
    return this.#keeper.get();
  }

  /** Name and version as the runtime states them. */
  version(): Promise<string> {
    this.#version ??= readRuntimeVersion(this.find().program);
    return this.#version;
  }

  /** Removes what an earlier keeper left, unless one is there now. */
  async clear(): Promise<void> {
    if (!this.#keeper.isWanted) await removeRuntimeFiles(this.#options.runtimeDirectory);
  }

  async close(): Promise<void> {
    await this.#keeper.kill();
    await removeRuntimeFiles(this.#options.runtimeDirectory);
  }
}
