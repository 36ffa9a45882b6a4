import type { Socket } from "node:net";
import { CattlegridError } from "../../../errors/error.ts";
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
  readonly ended: Promise<SandboxEnding>;
  readonly #facts: LocalSandboxParts["facts"];
  #target: ExecTarget;
  readonly #connect: LocalSandboxParts["connect"];
  readonly #takeOver: LocalSandboxParts["takeOver"];
  #stop: () => void = () => undefined;
  #isEnding = false;

  constructor(parts: LocalSandboxParts) {
    this.id = parts.id;
    this.#facts = parts.facts;
    this.#target = parts.target;
    this.#connect = parts.connect;
    this.#takeOver = parts.takeOver;
    const stopped = new Promise<SandboxEnding>((resolve) => {
      this.#stop = () => resolve({ kind: "stopped" });
    });
    const died = parts.died.then((reason): SandboxEnding => ({ kind: "died", reason }));
    this.ended = this.#end(Promise.race([stopped, died]), parts);
  }

  get facts(): Readonly<Record<string, unknown>> {
    return this.#facts();
  }

  async exec(request: ProcessRequest, signal: AbortSignal): Promise<SandboxProcess> {
    this.#checkRunning();
    return execProcess(this.#target, request, signal);
  }

  async connect(port: number): Promise<Socket> {
    this.#checkRunning();
    return this.#connect(port);
  }

  async takeOver(specification: SandboxSpecification): Promise<void> {
    this.#checkRunning();
    this.#target = { ...this.#target, ...(await this.#takeOver(specification)) };
  }

  async stop(): Promise<void> {
    this.#stop();
    await this.ended;
  }

  #checkRunning(): void {
    if (!this.#isEnding) return;
    throw new CattlegridError("SANDBOX_NOT_RUNNING", `The sandbox ${this.id} has ended.`);
  }

  async #end(cause: Promise<SandboxEnding>, parts: LocalSandboxParts): Promise<SandboxEnding> {
    const ending = await cause;
    this.#isEnding = true;
    await parts.dispose();
    return ending;
  }
}
