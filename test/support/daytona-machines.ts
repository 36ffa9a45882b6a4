import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type {
  Machine,
  MachinePlan,
  Machines,
  Network,
  Program,
} from "../../simulator/daytona/machine.ts";
import { listOf } from "../../simulator/daytona/sandbox-request.ts";
import { SILENT_LOGGER } from "../../src/platform/logger.ts";
import { createGatewayGates } from "../../src/sandbox/egress/gateway-gates.ts";
import { holdable } from "../../src/sandbox/making/demands.ts";
import type { Gate, GateRequest, Gates } from "../../src/sandbox/egress/gates.ts";
import { HOME } from "../../src/sandbox/guest/environment.ts";
import type {
  PresentCapabilities,
  RunningSandbox,
  SandboxProvider,
  SandboxSpecification,
} from "../../src/sandbox/provider.ts";
import type { ProcessEnding, SandboxProcess } from "../../src/sandbox/process.ts";
import { createLocalProvider } from "../../src/sandbox/providers/local/provider.ts";

export interface DaytonaMachinesOptions {
  /** Everything of theirs is below it. */
  directory: string;
  /** Hosts that are served on this machine, as `CATTLEGRID_MIRRORS` has them, and what vouches for them. */
  mirrors?: { targets: string; certificates: string };
}

const NEVER = new AbortController().signal;
const GIB = 2 ** 30;

/** Sandboxes of the local provider as the machines of a fake Daytona: isolated, and behind a gateway of their own. */
export class LocalMachines implements Machines, AsyncDisposable {
  readonly #provider: SandboxProvider;
  readonly #gates: Gates;
  readonly #mirrors: DaytonaMachinesOptions["mirrors"];
  readonly #created = new Set<string>();
  /** Of each machine: its `/tmp`, which is on a disk that stays when it is stopped, as all of a machine of Daytona's. */
  readonly #temporary: string;

  constructor({ directory, mirrors }: DaytonaMachinesOptions) {
    const [stateDirectory, runtimeDirectory] = [join(directory, "state"), join(directory, "run")];
    this.#temporary = join(directory, "tmp");
    mkdirSync(stateDirectory, { recursive: true, mode: 0o700 });
    mkdirSync(runtimeDirectory, { recursive: true, mode: 0o700 });
    this.#provider = createLocalProvider({ stateDirectory, runtimeDirectory });
    this.#gates = createGatewayGates({
      directory: join(directory, "egress"),
      authorityFile: join(directory, "inspection", "authority.pem"),
      logger: SILENT_LOGGER,
    });
    this.#mirrors = mirrors;
  }

  async start(plan: MachinePlan): Promise<Machine> {
    const prepared = this.#gates.prepare(this.#gateRequest(plan, plan.network));
    const capabilities = await this.#provider.capabilities(NEVER);
    const source = join(this.#temporary, plan.id);
    mkdirSync(source, { recursive: true });
    const specification: SandboxSpecification = {
      ...toSpecification(plan, { certificates: prepared.certificates, capabilities }),
      workspace: { path: "/tmp", mode: "clone", source },
    };
    if (!this.#created.has(plan.id)) await this.#provider.create(specification, NEVER);
    this.#created.add(plan.id);
    const gate = await prepared.open();
    try {
      const onCapture: Gate["capture"] = (sockets) => gate.capture(sockets);
      const running = await this.#provider.start(specification, { onCapture }, NEVER);
      return toMachine(running, gate, (network) =>
        gate.setPolicy(this.#gates.compile(this.#gateRequest(plan, network))),
      );
    } catch (error) {
      await gate.close();
      throw error;
    }
  }

  async remove(id: string): Promise<void> {
    this.#created.delete(id);
    await this.#provider.destroy(id);
    await this.#gates.remove(id);
    rmSync(join(this.#temporary, id), { recursive: true, force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#provider.close();
  }

  #gateRequest({ id, name }: MachinePlan, network: Network): GateRequest {
    return {
      sandboxId: id,
      sandboxName: name,
      ...toPolicy(network),
      allow: [],
      deny: [],
      hosts: [],
      mirrors: this.#mirrors ?? null,
    };
  }
}

/** An ordinary user's machine may hold no limits: its sandboxes then have none, as the API cannot tell. */
function toSpecification(
  plan: MachinePlan,
  given: { certificates: readonly string[]; capabilities: PresentCapabilities },
): SandboxSpecification {
  const { id, resources } = plan;
  return {
    id,
    name: `fake-${id.slice(0, 8)}`,
    protectedPaths: [],
    homeLayers: [],
    toolchains: [],
    environment: {},
    certificates: given.certificates,
    limits: holdable(
      { cpus: resources.cpu, memoryBytes: resources.memoryGib * GIB },
      given.capabilities,
    ),
  };
}

/** What the API's fields let out, in our policy's words. */
function toPolicy(network: Network): Pick<GateRequest, "preset" | "file"> {
  const addresses = listOf(network.networkAllowList);
  const domains = listOf(network.domainAllowList);
  if (network.networkBlockAll) return { preset: "locked" };
  if (addresses.length === 0 && domains.length === 0) return { preset: "open" };
  const rule = { ports: "*", protocol: "opaque", broad: true, reason: "the fake's allow list" };
  const allow = [
    ...addresses.map((cidr) => ({ ...rule, cidr })),
    ...domains.map((domain) => ({ ...rule, host: domain.replace(/^\*\./, "**.") })),
  ];
  return { file: { path: "allow-list", text: JSON.stringify({ allow }) } };
}

function toMachine(
  running: RunningSandbox,
  gate: Gate,
  setNetwork: Machine["setNetwork"],
): Machine {
  return {
    user: "agent",
    home: HOME,
    setNetwork,
    async run({ argv, cwd, environment, terminal }) {
      const process = await running.exec(
        {
          argv,
          ...(cwd === undefined ? { cwd: HOME } : { cwd }),
          ...(environment === undefined ? {} : { environment }),
          ...(terminal === undefined ? {} : { terminal }),
        },
        NEVER,
      );
      return toProgram(process);
    },
    async connect(port) {
      if (running.connect === undefined) throw new TypeError("no ports");
      return running.connect(port);
    },
    async stop() {
      await running.stop();
      await gate.close();
    },
  };
}

function toProgram(process: SandboxProcess): Program {
  return {
    output: process.output,
    errors: process.errors,
    input: process.input,
    ended: process.ended.then(toEnding),
    resize: (size) => process.resize(size),
    kill: () => process.kill(),
  };
}

function toEnding(ending: ProcessEnding): { code: number; signal?: string } {
  const { code } = ending;
  return ending.kind === "signalled" ? { code, signal: ending.signal } : { code };
}
