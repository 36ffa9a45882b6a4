import { admit, withoutUndefined, type AdmissionOptions } from "./admission.ts";
import type { Events } from "./events.ts";
import type { CreateFault } from "./faults.ts";
import { dueTransition } from "./idle.ts";
import type { Machine, Machines } from "./machine.ts";
import { pack, unpack } from "./packing.ts";
import { checkQuota } from "./quota.ts";
import { Refusal } from "./refusal.ts";
import type { FakeSandbox, Resources, SandboxState } from "./sandbox.ts";
import type { SandboxRequest } from "./sandbox-request.ts";

export interface SandboxesOptions extends AdmissionOptions {
  machines: Machines;
  events: Events;
  /** What the next creation is to meet. */
  nextCreateFault: (request: Partial<SandboxRequest>) => CreateFault | undefined;
}

/** Every sandbox of the organisation, and how it goes from state to state. */
export class Sandboxes {
  readonly #all = new Map<string, FakeSandbox>();
  readonly #options: SandboxesOptions;
  /** Transitions under way, which a new one of the same sandbox waits for. */
  readonly #working = new Map<string, Promise<unknown>>();

  constructor(options: SandboxesOptions) {
    this.#options = options;
  }

  list(): readonly FakeSandbox[] {
    return [...this.#all.values()];
  }

  find(idOrName: string): FakeSandbox | undefined {
    return this.#all.get(idOrName) ?? this.list().find(({ name }) => name === idOrName);
  }

  /** Throws 404. */
  get(idOrName: string): FakeSandbox {
    const found = this.find(idOrName);
    if (found !== undefined) return found;
    throw new Refusal(["api", 404], `Sandbox with ID or name ${idOrName} not found`);
  }

  /** Answers once it is started, or as soon as a fault keeps it from that. */
  async create(request: Partial<SandboxRequest>): Promise<FakeSandbox> {
    const sandbox = admit(request, this.list(), this.#options);
    this.#all.set(sandbox.id, sandbox);
    this.#options.events.emit("sandbox", sandbox);
    const fault = this.#options.nextCreateFault(request);
    if (fault?.kind === "slow") {
      this.#become(sandbox, fault.state ?? "creating");
      // Outside of the queue: until then it can be deleted.
      void fault.until.then(() => this.#bootLater(sandbox));
      return sandbox;
    }
    if (fault?.kind === "error") {
      this.#become(sandbox, fault.state ?? "error", fault.reason);
      return sandbox;
    }
    if (sandbox.dockerfile !== undefined) {
      this.#become(sandbox, "pending_build");
      void this.#firstPoll(sandbox).then(() => this.#bootLater(sandbox));
      return sandbox;
    }
    await this.#enqueue(sandbox, async () => this.#boot(sandbox));
    return sandbox;
  }

  async start(sandbox: FakeSandbox): Promise<void> {
    if (sandbox.state === "started") return;
    if (sandbox.state !== "stopped" && sandbox.state !== "archived") {
      throw new Refusal(["api", 400], "Sandbox is not in valid state");
    }
    checkQuota(this.#options.quota, sandbox.resources, this.list(), sandbox);
    sandbox.desiredState = "started";
    this.#become(sandbox, sandbox.state === "archived" ? "restoring" : "starting");
    await this.#enqueue(sandbox, async () => this.#boot(sandbox));
  }

  async #boot(sandbox: FakeSandbox): Promise<void> {
    if (sandbox.desiredState !== "started") return;
    const { machines, now, snapshots } = this.#options;
    const isNew = ["creating", "pending_build", "building_snapshot"].includes(sandbox.state);
    if (sandbox.state === "pending_build") this.#become(sandbox, "building_snapshot");
    const { id, name, network, resources } = sandbox;
    const machine = await machines.start({
      id,
      name,
      network,
      resources: { cpu: resources.cpu, memoryGib: resources.memory },
    });
    sandbox.machine = withEnvironment(machine, () => sandbox.environment);
    const files =
      sandbox.snapshot && snapshots.list().find((each) => each.name === sandbox.snapshot);
    if (isNew && files && files.files !== undefined) await unpack(machine, files.files);
    sandbox.lastActivityAt = now();
    this.#become(sandbox, "started");
  }

  /** Resolves when it is stopped; an ephemeral one is then gone. */
  async stop(sandbox: FakeSandbox): Promise<void> {
    if (sandbox.state === "stopped") return;
    if (sandbox.state !== "started") {
      throw new Refusal(["api", 400], "Sandbox is not started");
    }
    sandbox.desiredState = "stopped";
    this.#become(sandbox, "stopping");
    await this.#enqueue(sandbox, async () => {
      await this.#halt(sandbox);
      if (sandbox.isEphemeral) return this.#remove(sandbox);
      this.#become(sandbox, "stopped");
    });
  }

  async archive(sandbox: FakeSandbox): Promise<void> {
    if (sandbox.state !== "stopped") {
      throw new Refusal(["api", 400], "Sandbox is not stopped");
    }
    sandbox.desiredState = "archived";
    this.#become(sandbox, "archived");
  }

  /** Accepted at once; resolves when it is gone. */
  async destroy(sandbox: FakeSandbox): Promise<void> {
    if (sandbox.desiredState === "destroyed") return;
    sandbox.desiredState = "destroyed";
    this.#become(sandbox, "destroying");
    await this.#enqueue(sandbox, async () => {
      await this.#halt(sandbox);
      await this.#remove(sandbox);
    });
  }

  /** The same, without waiting. */
  destroySoon(sandbox: FakeSandbox): void {
    this.destroy(sandbox).catch((error: unknown) => this.#fail(sandbox, error));
  }

  /** A running one may only grow, and not its disk. */
  resize(sandbox: FakeSandbox, wanted: Partial<Resources>): void {
    const resources = { ...sandbox.resources, ...wanted };
    const isSmaller = (["cpu", "memory", "disk"] as const).some(
      (each) => resources[each] < sandbox.resources[each],
    );
    if (isSmaller && sandbox.state !== "stopped") {
      throw new Refusal(["api", 400], "Sandbox must be stopped to decrease its resources");
    }
    checkQuota(this.#options.quota, resources, this.list(), sandbox);
    sandbox.resources = resources;
  }

  /** A new sandbox with the files of another. */
  async fork(parent: FakeSandbox, name: string | undefined): Promise<FakeSandbox> {
    const files = await this.filesOf(parent);
    const { environment: env, labels, network, intervals } = parent;
    const request = {
      env,
      labels,
      ...network,
      ...intervals,
      ...(name === undefined ? {} : { name }),
    };
    const child = await this.create(withoutUndefined(request));
    await unpack(child.running(), files);
    return child;
  }

  /** Its home directory, as a new sandbox or a snapshot begins with it. */
  async filesOf(sandbox: FakeSandbox): Promise<Buffer> {
    return pack(sandbox.running());
  }

  /** Sets a state that nothing led to: what an operator or a failing runner does to a sandbox. */
  async force(sandbox: FakeSandbox, state: SandboxState, reason?: string): Promise<void> {
    await this.#enqueue(sandbox, async () => {
      if (state !== "started") await this.#halt(sandbox);
      this.#become(sandbox, state, reason);
    });
  }

  /** Does what is due by the clock. */
  async sweep(): Promise<void> {
    for (const sandbox of this.list()) {
      if (sandbox.openExchanges > 0) sandbox.lastActivityAt = this.#options.now();
      const due = dueTransition(sandbox, this.#options.now());
      if (due === "destroy") await this.destroy(sandbox);
      if (due === "stop") await this.stop(sandbox);
      if (due === "archive") await this.archive(sandbox);
    }
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#working.values());
    await Promise.all(this.list().map((sandbox) => this.destroy(sandbox)));
  }

  async #halt(sandbox: FakeSandbox): Promise<void> {
    const { machine } = sandbox;
    sandbox.machine = undefined;
    await Promise.all([...sandbox.terminals.values()].map((terminal) => terminal.lose()));
    for (const session of sandbox.sessions.values()) session.end();
    sandbox.terminals.clear();
    sandbox.sessions.clear();
    await machine?.stop();
  }

  async #remove(sandbox: FakeSandbox): Promise<void> {
    await this.#options.machines.remove(sandbox.id);
    this.#become(sandbox, "destroyed");
    this.#all.delete(sandbox.id);
  }

  #become(sandbox: FakeSandbox, state: SandboxState, reason?: string): void {
    const old = sandbox.state;
    sandbox.become(state, this.#options.now(), reason);
    this.#options.events.emit("state", sandbox, old);
  }

  #bootLater(sandbox: FakeSandbox): void {
    this.#enqueue(sandbox, async () => this.#boot(sandbox)).catch((error: unknown) =>
      this.#fail(sandbox, error),
    );
  }

  #fail(sandbox: FakeSandbox, error: unknown): void {
    this.#become(sandbox, "error", error instanceof Error ? error.message : String(error));
  }

  /** A build waits until somebody has asked for it, so that every state of it is seen. */
  async #firstPoll(sandbox: FakeSandbox): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const look = (polled: FakeSandbox): void => {
      if (polled === sandbox) resolve();
    };
    this.#options.events.on("poll", look);
    await promise;
    this.#options.events.off("poll", look);
  }

  async #enqueue(sandbox: FakeSandbox, work: () => Promise<void>): Promise<void> {
    const before = this.#working.get(sandbox.id) ?? Promise.resolve();
    const done = before.then(work, work);
    this.#working.set(sandbox.id, done);
    try {
      await done;
    } finally {
      if (this.#working.get(sandbox.id) === done) this.#working.delete(sandbox.id);
    }
  }
}

/** Every program begins with what the sandbox's environment is at that moment. */
function withEnvironment(machine: Machine, read: () => Record<string, string>): Machine {
  return {
    user: machine.user,
    home: machine.home,
    run: (request) =>
      machine.run({ ...request, environment: { ...read(), ...request.environment } }),
    connect: (port) => machine.connect(port),
    setNetwork: (network) => machine.setNetwork(network),
    stop: () => machine.stop(),
  };
}
