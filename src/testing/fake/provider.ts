import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { createServer } from "node:net";
import { CattlegridError } from "../../errors/error.ts";
import type { CaptureSockets } from "../../sandbox/capture/capture-sockets.ts";
import type { ProcessRequest, SandboxProcess } from "../../sandbox/process.ts";
import type {
  RunningSandbox,
  SandboxCapabilities,
  SandboxEnding,
  SandboxProvider,
  SandboxSpecification,
} from "../../sandbox/provider.ts";
import { COMMON_PROGRAMS } from "./common-programs.ts";
import { HOME, openFiles, type FileTable } from "./files.ts";
import { lookUpAt } from "./lookup.ts";
import { FakeProcess } from "./process.ts";
import type { FakeProgram } from "./program.ts";

export interface FakeProviderOptions {
  /** By name, beside a few common ones (`cat`, `env`, `ls`…); what is given wins. */
  programs?: Readonly<Record<string, FakeProgram>>;
  /** What it states otherwise, such as a workspace that is copied. Default: `FAKE_CAPABILITIES`. */
  capabilities?: Partial<Pick<SandboxCapabilities, "workspaceModes" | "workspaceFiles" | "layers">>;
}

/** What runs in it is functions of the process itself, which reach no network but by `lookUp`. */
export const FAKE_CAPABILITIES: SandboxCapabilities = {
  isolation: ["none"],
  workspaceModes: ["direct", "readonly"],
  workspaceFiles: "shared",
  layers: true,
  egress: "enforced",
  limits: [],
  ports: false,
  snapshot: false,
  warmPool: true,
};

/** Shown wherever somebody looks at a sandbox of it. */
export const FAKE_NOTE =
  "a fake for tests: programs are functions in memory, no process runs, and nothing is isolated";

/** Sandboxes in memory, for tests of what is built on Cattlegrid. Nothing that anybody else wrote may run in one. */
export function createFakeProvider(options: FakeProviderOptions = {}): SandboxProvider {
  const programs = { ...COMMON_PROGRAMS, ...options.programs };
  const homes = new Map<string, FileTable>();
  const layers = new Map<string, FileTable>();
  const running = new Map<string, FakeSandbox>();
  const homeOf = (id: string): FileTable => {
    const home = homes.get(id) ?? new Map<string, Buffer | null>();
    homes.set(id, home);
    return home;
  };
  const declared = { ...FAKE_CAPABILITIES, ...options.capabilities };
  return {
    id: "fake",
    declared,
    capabilities: async () => declared,
    probe: async () => [{ name: "fake", status: "ok", detail: FAKE_NOTE }],
    async create({ id }, signal) {
      signal.throwIfAborted();
      homeOf(id);
    },
    async start(specification, hooks, signal) {
      signal.throwIfAborted();
      const { id, homeLayers } = specification;
      if (running.has(id)) throw busy(id);
      const below = homeLayers.map((layer) => layers.get(layer) ?? new Map<string, Buffer>());
      const places = { specification, declared, home: homeOf(id), layers: below };
      const sandbox = new FakeSandbox(places, programs, await openSockets());
      try {
        hooks.onCapture(sandbox.sockets);
      } catch (error) {
        closeSockets(sandbox.sockets);
        throw error;
      }
      running.set(id, sandbox);
      void sandbox.ended.then(() => running.delete(id));
      return sandbox;
    },
    async destroy(sandboxId) {
      await running.get(sandboxId)?.stop();
      homes.delete(sandboxId);
    },
    layers: {
      list: async () => [...layers.keys()],
      async seal(sandboxId, layerId) {
        if (running.has(sandboxId)) throw busy(sandboxId);
        layers.set(layerId, homeOf(sandboxId));
        homes.set(sandboxId, new Map());
      },
      remove: async (layerId) => void layers.delete(layerId),
    },
    async reap(keep) {
      const removed = [...homes.keys()].filter((id) => !keep.has(id) && !running.has(id));
      for (const id of removed) homes.delete(id);
      return removed;
    },
    async close() {
      await Promise.all([...running.values()].map((sandbox) => sandbox.stop()));
    },
  };
}

function busy(id: string): CattlegridError {
  return new CattlegridError("SANDBOX_BUSY", `The sandbox ${id} runs.`);
}

interface Places {
  specification: SandboxSpecification;
  declared: SandboxCapabilities;
  home: FileTable;
  layers: readonly FileTable[];
}

class FakeSandbox implements RunningSandbox {
  readonly id: string;
  readonly facts = { fake: FAKE_NOTE };
  readonly ended: Promise<SandboxEnding>;
  readonly sockets: OwnSockets;
  #places: Places;
  readonly #programs: Readonly<Record<string, FakeProgram>>;
  readonly #processes = new Set<FakeProcess>();
  readonly #temporary: FileTable = new Map();
  readonly #ending = Promise.withResolvers<SandboxEnding>();
  #isStopped = false;

  constructor(
    places: Places,
    programs: Readonly<Record<string, FakeProgram>>,
    sockets: OwnSockets,
  ) {
    this.id = places.specification.id;
    this.#places = places;
    this.#programs = programs;
    this.sockets = sockets;
    this.ended = this.#ending.promise;
  }

  async exec(request: ProcessRequest, signal: AbortSignal): Promise<SandboxProcess> {
    signal.throwIfAborted();
    const { specification } = this.#places;
    if (this.#isStopped) {
      throw new CattlegridError("SANDBOX_NOT_RUNNING", `${specification.name} does not run.`);
    }
    const [name = ""] = request.argv;
    const program = this.#programs[name];
    if (program === undefined) {
      const message = `${name} is no program of this fake sandbox.`;
      throw new CattlegridError("COMMAND_NOT_FOUND", message, {
        hint: `It has ${Object.keys(this.#programs).join(", ")}; give createFakeProvider more.`,
      });
    }
    const directory = request.cwd ?? specification.workspace?.path ?? HOME;
    const process = new FakeProcess(program, request, {
      directory,
      environment: this.#environment(request),
      files: openFiles(this.#places, this.#temporary, directory),
      hostName: specification.name,
      lookUp: (host) => this.#lookUp(host),
    });
    this.#processes.add(process);
    void process.ended.then(() => this.#processes.delete(process));
    return process;
  }

  async takeOver(specification: SandboxSpecification): Promise<void> {
    if (specification.workspace?.mode === "overlay") {
      throw new CattlegridError("PROVIDER_UNSUPPORTED", "the fake has no mode overlay");
    }
    this.#places = { ...this.#places, specification };
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all([...this.#processes].map((process) => process.kill()));
    this.#ending.resolve({ kind: "stopped" });
  }

  #environment(request: ProcessRequest): Record<string, string> {
    return {
      HOME,
      USER: "agent",
      LANG: "C.UTF-8",
      ...this.#places.specification.environment,
      ...request.environment,
      ...request.secrets,
    };
  }

  async #lookUp(host: string): Promise<string | undefined> {
    const [server] = this.sockets.udp;
    return server && lookUpAt(server, host, AbortSignal.timeout(LOOK_UP_TIMEOUT_MS));
  }
}

const LOOK_UP_TIMEOUT_MS = 10_000;

interface OwnSockets extends CaptureSockets {
  udp: readonly Socket[];
}

async function openSockets(): Promise<OwnSockets> {
  const tcp = createServer().listen(0, "127.0.0.1");
  await once(tcp, "listening");
  const udp = createSocket("udp4").bind(0, "127.0.0.1");
  await once(udp, "listening");
  return { tcp, udp: [udp] };
}

function closeSockets({ tcp, udp }: CaptureSockets): void {
  tcp.close();
  for (const socket of udp) socket.close();
}
