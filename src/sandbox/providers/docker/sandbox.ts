import type { Socket } from "node:net";
import { CattlegridError } from "../../../errors/error.ts";
import type { ProcessRequest, SandboxProcess } from "../../process.ts";
import type { RunningSandbox, SandboxEnding } from "../../provider.ts";
import { execProcess, type ExecTarget } from "./container-process.ts";

export interface DockerSandboxParts {
  id: string;
  facts: Readonly<Record<string, unknown>>;
  target: ExecTarget;
  connect(port: number): Promise<Socket>;
  /** Resolves with why when the container ended by itself, or nobody knows any more. */
  died: Promise<string>;
  /** Removes the container and what the start made. Does not reject. */
  dispose(): Promise<void>;
}

/** A sandbox whose container runs; ends once, by `stop` or by dying. */
export class DockerSandbox implements RunningSandbox {
  readonly id: string;
  readonly facts: Readonly<Record<string, unknown>>;
  readonly ended: Promise<SandboxEnding>;
  readonly #target: ExecTarget;
  readonly #connect: (port: number) => Promise<Socket>;
  readonly #stopped = Promise.withResolvers<SandboxEnding>();
  #isEnding = false;

  constructor(parts: DockerSandboxParts) {
    this.id = parts.id;
    this.facts = parts.facts;
    this.#target = parts.target;
    this.#connect = (port) => parts.connect(port);
    const died = parts.died.then((reason): SandboxEnding => ({ kind: "died", reason }));
    this.ended = this.#end(Promise.race([this.#stopped.promise, died]), parts);
  }

  async exec(request: ProcessRequest, signal: AbortSignal): Promise<SandboxProcess> {
    this.#checkRunning();
    return execProcess(this.#target, request, signal);
  }

  async connect(port: number): Promise<Socket> {
    this.#checkRunning();
    return this.#connect(port);
  }

  async stop(): Promise<void> {
    this.#stopped.resolve({ kind: "stopped" });
    await this.ended;
  }

  #checkRunning(): void {
    if (!this.#isEnding) return;
    throw new CattlegridError("SANDBOX_NOT_RUNNING", `The sandbox ${this.id} has ended.`);
  }

  async #end(cause: Promise<SandboxEnding>, parts: DockerSandboxParts): Promise<SandboxEnding> {
    const ending = await cause;
    this.#isEnding = true;
    await parts.dispose();
    return ending;
  }
}
