import { asCattlegridError } from "../../errors/error.ts";
import type { Logger } from "../../platform/logger.ts";
import { toCanonicalJson } from "../../platform/canonical-json.ts";
import type { WarmPool } from "../../protocol/warm-pool.ts";
import type { SandboxRow } from "../../store/sandbox-rows.ts";
import type { WarmPoolRow } from "../../store/warm-pool-rows.ts";
import type { PreparedSandbox } from "./prepared.ts";

export interface TemplatePoolOptions {
  /** What a sandbox of the pool is going to be; the template is read anew each time. */
  describe(wanted: WarmPoolRow): Promise<SandboxRow>;
  /** Starts one for nobody. */
  prepare(row: SandboxRow, signal: AbortSignal): Promise<PreparedSandbox>;
  /** Ends one and removes what is on disk of it. */
  discard(prepared: PreparedSandbox): Promise<void>;
  logger: Logger;
}

/** Keeps sandboxes of one template ready, as many as are wanted. */
export class TemplatePool {
  readonly wanted: WarmPoolRow;
  readonly #options: TemplatePoolOptions;
  readonly #ready: { row: SandboxRow; prepared: PreparedSandbox }[] = [];
  readonly #closing = new AbortController();
  #filling: Promise<void> | undefined;
  #isStale = false;
  #problem: string | undefined;

  constructor(wanted: WarmPoolRow, options: TemplatePoolOptions) {
    this.wanted = wanted;
    this.#options = options;
  }

  /** Makes what is missing; resolves when there is nothing more to do, or what went wrong is known. */
  fill(): Promise<void> {
    this.#filling ??= this.#fill().finally(() => (this.#filling = undefined));
    return this.#filling;
  }

  /** A prepared sandbox for a new one that is like those of the pool, or why there is none. */
  take(wanted: SandboxRow): PreparedSandbox | { why: string } {
    const [first] = this.#ready;
    if (first === undefined) {
      const why = this.#problem ?? "all prepared ones are in use";
      void this.fill();
      return { why };
    }
    const why = findOtherTemplate(first.row, wanted);
    if (why !== undefined) {
      // The file may have changed since they were made: then the next ones are of what it says now.
      if (first.row.specification.template?.digest !== wanted.specification.template?.digest) {
        this.#isStale = true;
        void this.fill();
      }
      return { why };
    }
    this.#ready.shift();
    void this.fill();
    return first.prepared;
  }

  async show(): Promise<WarmPool> {
    const { template, wish } = this.wanted;
    return {
      template,
      parameters: wish.parameters ?? {},
      provider: this.#ready[0]?.row.provider ?? wish.provider ?? "",
      size: wish.size,
      ready: this.#ready.length,
      ...(this.#problem === undefined ? {} : { problem: this.#problem }),
    };
  }

  /** Ends all that nobody has claimed. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#filling;
    await this.#discardAll();
  }

  async #fill(): Promise<void> {
    const { signal } = this.#closing;
    try {
      while (!signal.aborted) {
        if (this.#isStale) await this.#discardAll();
        this.#isStale = false;
        if (this.#ready.length >= this.wanted.wish.size) break;
        await this.#addOne(signal);
      }
      this.#problem = undefined;
    } catch (error) {
      if (signal.aborted) return;
      const { code, message } = asCattlegridError(error);
      this.#problem = `${code}: ${message}`;
      this.#options.logger.warn("no sandbox could be prepared", {
        template: this.wanted.template,
        error: this.#problem,
      });
    }
  }

  async #addOne(signal: AbortSignal): Promise<void> {
    const row = await this.#options.describe(this.wanted);
    const prepared = await this.#options.prepare(row, signal);
    if (signal.aborted) return this.#options.discard(prepared);
    const entry = { row, prepared };
    this.#ready.push(entry);
    void prepared.running.ended.then(async () => {
      const index = this.#ready.indexOf(entry);
      if (index === -1) return;
      // It died: what is left of it goes, and another takes its place with the next claim.
      this.#ready.splice(index, 1);
      await this.#options.discard(prepared);
    });
  }

  async #discardAll(): Promise<void> {
    const all = this.#ready.splice(0);
    await Promise.all(all.map(({ prepared }) => this.#options.discard(prepared)));
  }
}

function findOtherTemplate(prepared: SandboxRow, wanted: SandboxRow): string | undefined {
  const { template: left } = prepared.specification;
  const { template: right } = wanted.specification;
  if (left?.digest !== right?.digest) {
    return "the template has changed since they were prepared";
  }
  if (toCanonicalJson(left?.parameters) !== toCanonicalJson(right?.parameters)) {
    return "its parameters differ from those of the prepared ones";
  }
  if (prepared.agent !== wanted.agent) return "its agent is another one";
  if (prepared.provider !== wanted.provider) return "its provider is another one";
  return undefined;
}
