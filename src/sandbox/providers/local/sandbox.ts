import type { Socket } from "node:net";
import { OneEnding } from "../../life/one-ending.ts";
import type { ProcessRequest, SandboxProcess } from "../../process.ts";
import type { RunningSandbox, SandboxEnding, SandboxSpecification } from "../../provider.ts";
import type { ExecTarget } from "./process/exec-target.ts";
import { execProcess } from "./process/process.ts";
import type { TakenOver } from "./taking-over.ts";

export interface LocalSandboxParts {
  id: string;
  /** As they are when asked. */
  facts(): Readonly<Record<string, unknown>>;
  target: ExecTarget;
  connect(port: number): Promise<Socket>;
  takeOver(specification: SandboxSpecification): Promise<TakenOver>;
  /** Resolves with why when the first process, or the keeper, died. */
  died: Promise<string>;
  /** Kills what is left and removes what the start made. Does not reject. */
  dispose(): Promise<void>;
}

/** A sandbox whose first process runs; ends once, by `stop` or by dying. */
export class LocalSandbox implements RunningSandbox {
  readonly id: string;
  readonly #facts: LocalSandboxParts["facts"];
  #target: ExecTarget;
  readonly #connect: LocalSandboxParts["connect"];
  readonly #takeOver: LocalSandboxParts["takeOver"];
  readonly #ending: OneEnding;

  constructor(parts: LocalSandboxParts) {
    this.id = parts.id;
    this.#facts = parts.facts;
    this.#target = parts.target;
    this.#connect = parts.connect;
    this.#takeOver = parts.takeOver;
    const { id: sandboxId, died } = parts;
    this.#ending = new OneEnding({ sandboxId, died, dispose: () => parts.dispose() });
  }

  get facts(): Readonly<Record<string, unknown>> {
    return this.#facts();
  }

  get ended(): Promise<SandboxEnding> {
    return this.#ending.ended;
  }

  async exec(request: ProcessRequest, signal: AbortSignal): Promise<SandboxProcess> {
    this.#ending.checkRunning();
    return execProcess(this.#target, request, signal);
  }

  async connect(port: number): Promise<Socket> {
    this.#ending.checkRunning();
    return this.#connect(port);
  }

  async takeOver(specification: SandboxSpecification): Promise<void> {
    this.#ending.checkRunning();
    this.#target = { ...this.#target, ...(await this.#takeOver(specification)) };
  }

  async stop(): Promise<void> {
    await this.#ending.stop();
  }
}
