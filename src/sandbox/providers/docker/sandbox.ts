import type { Socket } from "node:net";
import { OneEnding } from "../../life/one-ending.ts";
import type { ProcessRequest, SandboxProcess } from "../../process.ts";
import type { RunningSandbox, SandboxEnding } from "../../provider.ts";
import { execProcess, type ExecTarget } from "./program/container-process.ts";

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
  readonly #target: ExecTarget;
  readonly #connect: (port: number) => Promise<Socket>;
  readonly #ending: OneEnding;

  constructor(parts: DockerSandboxParts) {
    this.id = parts.id;
    this.facts = parts.facts;
    this.#target = parts.target;
    this.#connect = (port) => parts.connect(port);
    const { id: sandboxId, died } = parts;
    this.#ending = new OneEnding({ sandboxId, died, dispose: () => parts.dispose() });
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

  async stop(): Promise<void> {
    await this.#ending.stop();
  }
}
