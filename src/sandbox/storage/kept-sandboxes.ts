import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { CattlegridError } from "../../errors/error.ts";
import { removeTree } from "../../platform/tree-removal.ts";
import type { RunningSandbox, SandboxSpecification } from "../provider.ts";
import {
  checkId,
  discardTree,
  explainDiskError,
  isDirectory,
  type Directories,
} from "./directories.ts";

export interface KeptSandboxesOptions {
  directories(): Directories;
  /** Makes the directories of a sandbox, or finds them made. */
  makeDirectories(directory: string, specification: SandboxSpecification): void;
}

/** The sandboxes that a provider keeps on this machine's disk, and which of them run. */
export class KeptSandboxes {
  readonly #options: KeptSandboxesOptions;
  readonly #running = new Map<string, RunningSandbox>();
  readonly #starting = new Set<string>();

  constructor(options: KeptSandboxesOptions) {
    this.#options = options;
  }

  /** Makes a sandbox's directories, or leaves nothing of them. Idempotent. */
  async make(specification: SandboxSpecification): Promise<void> {
    checkId(specification.id);
    const { sandboxes, trash } = this.#options.directories();
    const directory = join(sandboxes, specification.id);
    const existed = await isDirectory(directory);
    try {
      this.#options.makeDirectories(directory, specification);
    } catch (error) {
      if (!existed) await discardTree(directory, trash);
      throw explainDiskError(error, sandboxes);
    }
  }

  /** Keeps one start of a sandbox from meeting another, or a removal of what nobody keeps. Throws SANDBOX_BUSY. */
  async whileStarting<T>(sandboxId: string, start: () => Promise<T>): Promise<T> {
    checkId(sandboxId);
    if (this.isBusy(sandboxId)) {
      throw new CattlegridError("SANDBOX_BUSY", `The sandbox ${sandboxId} runs already.`);
    }
    this.#starting.add(sandboxId);
    try {
      return await start();
    } catch (error) {
      throw explainDiskError(error, this.#options.directories().sandboxes);
    } finally {
      this.#starting.delete(sandboxId);
    }
  }

  /** Starts a sandbox on its directories, and knows it as long as it runs. */
  async run(
    specification: SandboxSpecification,
    start: () => Promise<RunningSandbox>,
  ): Promise<RunningSandbox> {
    const { id } = specification;
    const directory = join(this.#options.directories().sandboxes, id);
    if (!(await isDirectory(directory))) this.#options.makeDirectories(directory, specification);
    const sandbox = await start();
    this.#running.set(id, sandbox);
    void sandbox.ended.then(() => this.#running.delete(id));
    return sandbox;
  }

  isBusy(sandboxId: string): boolean {
    return this.#running.has(sandboxId) || this.#starting.has(sandboxId);
  }

  /** The directories of those that do not run. */
  async listIdle(): Promise<readonly string[]> {
    const { sandboxes } = this.#options.directories();
    const idle = (await readdir(sandboxes)).filter((id) => !this.isBusy(id));
    return idle.map((id) => join(sandboxes, id));
  }

  listRunning(): readonly string[] {
    return [...this.#running.keys()];
  }

  /** Ends it and removes what it wrote. Idempotent. */
  async discard(sandboxId: string): Promise<void> {
    checkId(sandboxId);
    await this.#running.get(sandboxId)?.stop();
    const { sandboxes, trash } = this.#options.directories();
    await discardTree(join(sandboxes, sandboxId), trash);
  }

  /** Removes those that are not to be kept, and what was on its way out when an earlier provider ended; tells which. */
  async discardAllBut(keep: ReadonlySet<string>): Promise<readonly string[]> {
    const { sandboxes, trash } = this.#options.directories();
    for (const leftover of await readdir(trash)) await removeTree(join(trash, leftover));
    const found = await readdir(sandboxes);
    const doomed = found.filter((id) => !keep.has(id) && !this.isBusy(id));
    for (const id of doomed) await discardTree(join(sandboxes, id), trash);
    return doomed;
  }

  async stopAll(): Promise<void> {
    await Promise.all([...this.#running.values()].map((sandbox) => sandbox.stop()));
  }
}
