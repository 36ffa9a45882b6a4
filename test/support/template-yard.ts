import { existsSync, mkdtempSync, readdirSync, realpathSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { removeTree } from "../../src/platform/tree-removal.ts";
import type { SandboxStart } from "../../src/protocol/sandbox.ts";
import type { Engine } from "../../src/session/engine.ts";
import { buildTemplate, openBuildingEngine, writeTemplate } from "./building-engine.ts";

const NEVER = new AbortController().signal;

/** An engine with real sandboxes and one template, which is built, used and changed; below one directory. */
export class TemplateYard implements AsyncDisposable {
  readonly root: string;
  readonly engine: Engine;
  readonly #mirrors: SandboxStart["mirrors"];
  #sandboxes = 0;

  private constructor(root: string, engine: Engine, mirrors: SandboxStart["mirrors"]) {
    this.root = root;
    this.engine = engine;
    this.#mirrors = mirrors;
  }

  static async open(mirrors?: SandboxStart["mirrors"]): Promise<TemplateYard> {
    const root = realpathSync(mkdtempSync(join(tmpdir(), "cg-template-")));
    return new TemplateYard(root, await openBuildingEngine(root), mirrors);
  }

  /** Lines after the first two of the template's file. */
  write(...lines: readonly string[]): void {
    writeTemplate(this.root, "made", ["version: 1", "agent: shell", ...lines, ""].join("\n"));
  }

  async build(onOutput?: (text: string) => void): Promise<readonly string[]> {
    const mirrors = this.#mirrors;
    return buildTemplate(this.engine, "made", { mirrors, ...(onOutput && { onOutput }) });
  }

  /** Makes a sandbox of it and gives back what a script says there. */
  async say(script: string): Promise<string> {
    this.#sandboxes += 1;
    const name = `made-${this.#sandboxes}`;
    const wish = { name, template: { name: "made" }, workspace: null };
    const { sandbox } = await this.engine.sandboxes.create("local:7", wish);
    const started = this.#mirrors === undefined ? {} : { mirrors: this.#mirrors };
    await this.engine.sandboxes.start(sandbox.id, started, { signal: NEVER });
    const running = await this.engine.sandboxes.running(sandbox.id);
    const argv = ["bash", "-lc", `{ ${script}\n} 2>&1`];
    const process = await running.exec({ argv }, NEVER);
    process.input.end();
    process.errors?.resume();
    const chunks = await Array.fromAsync(process.output as AsyncIterable<Buffer>);
    return Buffer.concat(chunks).toString().trim();
  }

  /** What there is of one kind in the provider's state. */
  kept(kind: "bases" | "layers" | "roots" | "sandboxes" | "trash"): readonly string[] {
    const directory = join(this.root, "state/providers/local", kind);
    // Until the first use there is none.
    return existsSync(directory) ? readdirSync(directory).toSorted() : [];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.engine.close();
    // What root inside made may belong to others than whoever runs this.
    await removeTree(this.root);
  }
}
