import { spawn, type ChildProcess } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdirSync, readdirSync, rmSync, existsSync, renameSync } from "node:fs";
import { createServer } from "node:net";
import { constants } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { CattlegridError } from "../../src/errors/error.ts";
import type {
  CaptureDatagrams,
  CaptureSockets,
} from "../../src/sandbox/capture/capture-sockets.ts";
import type { ProcessEnding, ProcessRequest, SandboxProcess } from "../../src/sandbox/process.ts";
import type {
  RunningSandbox,
  SandboxCapabilities,
  SandboxEnding,
  SandboxProvider,
  SandboxSpecification,
} from "../../src/sandbox/provider.ts";

/** Runs host processes with no isolation at all: for tests of everything above a provider, and never composed by the daemon. */
export interface ProcessProvider extends SandboxProvider {
  /** Ends a sandbox as if its runtime had died. */
  kill(sandboxId: string): void;
  readonly specifications: Map<string, SandboxSpecification>;
  /** What the next start does before it runs. */
  beforeStart: ((signal: AbortSignal) => Promise<void>) | undefined;
  starts: number;
}

const CAPABILITIES: SandboxCapabilities = {
  isolation: ["namespaces"],
  workspaceModes: ["direct", "readonly"],
  workspaceFiles: "shared",
  layers: true,
  egress: "enforced",
  limits: [],
  ports: false,
  snapshot: false,
  warmPool: false,
};

export function createProcessProvider(directory: string, id = "process"): ProcessProvider {
  const homes = join(directory, "homes");
  const layers = join(directory, "layers");
  const listOf = (path: string): string[] => (existsSync(path) ? readdirSync(path) : []);
  const live = new Map<string, LiveProcesses>();
  const provider: ProcessProvider = {
    id,
    specifications: new Map(),
    beforeStart: undefined,
    starts: 0,
    declared: CAPABILITIES,
    capabilities: async () => CAPABILITIES,
    probe: async () => [{ name: "process", status: "ok", detail: "host processes" }],
    async create(specification) {
      provider.specifications.set(specification.id, specification);
      mkdirSync(join(homes, specification.id), { recursive: true });
    },
    async start(specification, hooks, signal) {
      provider.starts++;
      const before = provider.beforeStart;
      provider.beforeStart = undefined;
      await before?.(signal);
      signal.throwIfAborted();
      const sockets = await openSockets();
      const home = join(homes, specification.id);
      const running = new LiveProcesses(specification, home, sockets);
      try {
        hooks.onCapture(sockets);
      } catch (error) {
        running.end({ kind: "stopped" });
        throw error;
      }
      live.set(specification.id, running);
      void running.ended.then(() => live.delete(specification.id));
      return running;
    },
    async destroy(sandboxId) {
      rmSync(join(homes, sandboxId), { recursive: true, force: true });
    },
    layers: {
      list: async () => listOf(layers),
      async seal(sandboxId, layerId) {
        mkdirSync(layers, { recursive: true });
        if (!existsSync(join(layers, layerId)))
          renameSync(join(homes, sandboxId), join(layers, layerId));
        mkdirSync(join(homes, sandboxId), { recursive: true });
      },
      async remove(layerId) {
        rmSync(join(layers, layerId), { recursive: true, force: true });
      },
    },
    async reap(keep) {
      const gone = listOf(homes).filter((id) => !keep.has(id));
      for (const id of gone) rmSync(join(homes, id), { recursive: true, force: true });
      return gone;
    },
    async close() {
      await Promise.all([...live.values()].map((running) => running.stop()));
    },
    kill: (sandboxId) => live.get(sandboxId)?.end({ kind: "died", reason: "its runtime died" }),
  };
  return provider;
}

class LiveProcesses implements RunningSandbox {
  readonly id: string;
  readonly facts = { isolation: "none: a test" };
  readonly ended: Promise<SandboxEnding>;
  readonly #children = new Set<ChildProcess>();
  readonly #specification: SandboxSpecification;
  readonly #home: string;
  readonly #sockets: CaptureSockets;
  readonly #resolve: (ending: SandboxEnding) => void;

  constructor(specification: SandboxSpecification, home: string, sockets: CaptureSockets) {
    this.id = specification.id;
    this.#specification = specification;
    this.#home = home;
    this.#sockets = sockets;
    const { promise, resolve } = Promise.withResolvers<SandboxEnding>();
    this.ended = promise;
    this.#resolve = resolve;
  }

  async exec(request: ProcessRequest, signal: AbortSignal): Promise<SandboxProcess> {
    signal.throwIfAborted();
    const [program, ...rest] = request.argv;
    const environment = { PATH: process.env["PATH"], HOME: this.#home };
    const child = spawn(program!, rest, {
      cwd: request.cwd ?? this.#specification.workspace?.path ?? this.#home,
      env: {
        ...environment,
        ...this.#specification.environment,
        ...request.environment,
        ...request.secrets,
      },
      detached: true,
    });
    this.#children.add(child);
    const closed = once(child, "close") as Promise<[number | null, NodeJS.Signals | null]>;
    closed.catch(() => undefined);
    try {
      await once(child, "spawn");
    } catch (error) {
      this.#children.delete(child);
      throw new CattlegridError("COMMAND_NOT_FOUND", `${program} was not found.`, { cause: error });
    }
    void closed.then(() => this.#children.delete(child));
    return toProcess(child, closed, request);
  }

  async stop(): Promise<void> {
    this.end({ kind: "stopped" });
    await this.ended;
  }

  end(ending: SandboxEnding): void {
    for (const child of this.#children) killGroup(child, "SIGKILL");
    this.#sockets.tcp.close();
    for (const socket of this.#sockets.udp) closeSocket(socket);
    this.#resolve(ending);
  }
}

function toProcess(
  child: ChildProcess,
  closed: Promise<[number | null, NodeJS.Signals | null]>,
  request: ProcessRequest,
): SandboxProcess {
  // Node discards what nobody reads of a child that exits, so both are taken at once.
  const errors = child.stderr!.pipe(new PassThrough());
  const output = child.stdout!.pipe(new PassThrough());
  const merged = request.terminal !== undefined && request.terminal.separateErrors !== true;
  if (request.inputBytes !== undefined) child.stdin!.end(request.inputBytes);
  return {
    output: merged ? mergeOutput(output, errors) : output,
    errors: merged ? undefined : errors,
    input: child.stdin!,
    ended: closed.then(([code, signal]) => toEnding(code, signal)),
    resize: () => undefined,
    signal: async (name) => killGroup(child, name),
    async kill() {
      killGroup(child, "SIGKILL");
      await closed;
    },
  };
}

function mergeOutput(output: PassThrough, errors: PassThrough): PassThrough {
  const merged = new PassThrough();
  let open = 2;
  for (const stream of [output, errors]) {
    stream.pipe(merged, { end: false });
    stream.once("end", () => --open === 0 && merged.end());
  }
  return merged;
}

function toEnding(code: number | null, signal: NodeJS.Signals | null): ProcessEnding {
  if (signal === null) return { kind: "exited", code: code ?? 1 };
  return { kind: "signalled", code: 128 + constants.signals[signal], signal };
}

function killGroup(child: ChildProcess, name: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    // Also once the child has ended: what it left running in the background is of its group.
    process.kill(-child.pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

async function openSockets(): Promise<CaptureSockets> {
  const tcp = createServer().listen(0, "127.0.0.1");
  await once(tcp, "listening");
  const udp = createSocket("udp4").bind(0, "127.0.0.1");
  await once(udp, "listening");
  return { tcp, udp: [udp] };
}

function closeSocket(socket: CaptureDatagrams): void {
  try {
    socket.close();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ERR_SOCKET_DGRAM_NOT_RUNNING") throw error;
  }
}
