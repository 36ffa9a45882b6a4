import { setTimeout as delay } from "node:timers/promises";
import { CattlegridError } from "../../../errors/error.ts";
import type { Logger } from "../../../platform/logger.ts";
import type { AddressPolicy, RunningSandbox, SandboxEnding } from "../../provider.ts";
import type { ProcessRequest, SandboxProcess } from "../../process.ts";
import { checkNetwork, networkOf } from "./network.ts";
import { execProcess, type ExecTarget } from "./remote-process.ts";
import type { ControlApi } from "./control-api.ts";

const CHANGE_TIMEOUT_MS = 60_000;

export interface DaytonaSandboxParts {
  /** Ours. */
  id: string;
  /** The service's. */
  remoteId: string;
  /** Inside, as the service's image has it. */
  home: string;
  service: ControlApi;
  facts: Readonly<Record<string, unknown>>;
  target: Omit<ExecTarget, "signal" | "stopped" | "whyGone">;
  logger: Logger;
  /** Between two renewals of the lease. */
  renewMs: number;
  /** Brings it to a stop. Does not reject. */
  dispose(): Promise<void>;
}

/** A sandbox that the service runs; ends once, by `stop` or by the service. */
export class DaytonaSandbox implements RunningSandbox {
  readonly id: string;
  readonly home: string;
  readonly ended: Promise<SandboxEnding>;
  readonly #parts: DaytonaSandboxParts;
  readonly #ending = Promise.withResolvers<SandboxEnding>();
  readonly #over = new AbortController();
  readonly #target: ExecTarget;
  #facts: Readonly<Record<string, unknown>>;

  constructor(parts: DaytonaSandboxParts) {
    this.#parts = parts;
    this.id = parts.id;
    this.home = parts.home;
    this.#facts = parts.facts;
    const { signal } = this.#over;
    const stopped = new Promise<void>((resolve) => {
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
    this.#target = { ...parts.target, signal, stopped, whyGone: () => this.#whyGone() };
    this.ended = this.#end();
    void this.#keep();
  }

  get facts(): Readonly<Record<string, unknown>> {
    return this.#facts;
  }

  async exec(request: ProcessRequest, signal: AbortSignal): Promise<SandboxProcess> {
    this.#checkRunning();
    try {
      return await execProcess(this.#target, request, signal);
    } catch (error) {
      // Whoever comes next is not to be told again by the service.
      if (CattlegridError.is(error, "SANDBOX_NOT_RUNNING")) await this.#whyGone();
      throw error;
    }
  }

  async limitAddresses(policy: AddressPolicy): Promise<void> {
    const { service, remoteId } = this.#parts;
    const network = networkOf(policy);
    const deadline = AbortSignal.any([this.#over.signal, AbortSignal.timeout(CHANGE_TIMEOUT_MS)]);
    checkNetwork(network, await service.setNetwork(remoteId, network, deadline));
    this.#facts = { ...this.#facts, network };
  }

  async stop(): Promise<void> {
    this.#ending.resolve({ kind: "stopped" });
    await this.ended;
  }

  #checkRunning(): void {
    if (!this.#over.signal.aborted) return;
    throw new CattlegridError("SANDBOX_NOT_RUNNING", `The sandbox ${this.id} has ended.`);
  }

  /** Keeps the service from stopping it while somebody here has it, and finds out when it is gone. */
  async #keep(): Promise<void> {
    const { service, remoteId, logger, renewMs } = this.#parts;
    const { signal } = this.#over;
    while (!signal.aborted) {
      try {
        await delay(renewMs, undefined, { signal, ref: false });
        await service.renew(remoteId, signal);
        await this.#whyGone();
      } catch (error) {
        if (!signal.aborted) logger.warn("a sandbox could not be kept", { id: this.id, error });
      }
    }
  }

  /** Finding it gone ends it here as well. */
  async #whyGone(): Promise<string | undefined> {
    const { service, remoteId } = this.#parts;
    const found = await service.find(remoteId, this.#over.signal);
    if (found?.state === "started") return undefined;
    const reason =
      found === undefined
        ? "Daytona deleted the sandbox"
        : `Daytona has the sandbox in the state ${found.state}${found.errorReason ? `: ${found.errorReason}` : ""}`;
    this.#ending.resolve({ kind: "died", reason });
    return reason;
  }

  async #end(): Promise<SandboxEnding> {
    const ending = await this.#ending.promise;
    this.#over.abort(
      ending.kind === "died" ? new CattlegridError("SANDBOX_LOST", ending.reason) : undefined,
    );
    if (ending.kind === "stopped") await this.#parts.dispose();
    return ending;
  }
}
