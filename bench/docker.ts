import { once } from "node:events";
import { join } from "node:path";
import type {
  RunningSandbox,
  SandboxProvider,
  SandboxSpecification,
} from "../src/sandbox/provider.ts";
import { Engine } from "../src/sandbox/providers/docker/engine/engine.ts";
import { EngineClient } from "../src/sandbox/providers/docker/engine/engine-client.ts";
import { DOCKER, DockerRig, IMAGE } from "../test/support/docker-rig.ts";
import { measureContainerTerminal } from "./docker-terminal.ts";
import type { Figure } from "./report.ts";
import { timeInTurn, type Aftermath, type Subject } from "./statistics.ts";
import { holdSockets, specify, type BenchContext } from "./yard.ts";

const RUNS = 15;
const CROWD = 20;
const ECHO = ["echo", "hi"];
const NEVER: AbortSignal = new AbortController().signal;

/** The Docker provider beside what Docker itself does for the same: a container without a network, and programs in it. */
export async function measureDocker({ effort, signal }: BenchContext): Promise<Figure[]> {
  if (!DOCKER.met) return [{ promise: "DOCKER", what: DOCKER.reason, value: Number.NaN, unit: "" }];
  await using stack = new AsyncDisposableStack();
  const rig = stack.use(await DockerRig.open());
  const providers = {
    entered: ground(rig, undefined),
    helper: ground(rig, "helper"),
    relay: ground(rig, "relay"),
  };
  for (const { close } of Object.values(providers)) stack.defer(close);
  const bare = new BareDocker(new Engine(new EngineClient(rig.socketPath)));
  const built = await buildAsRoot(providers.entered);
  const { sandbox } = await providers.entered.start();
  stack.defer(() => sandbox.stop());
  const donor = await bare.make();
  stack.defer(() => bare.remove(donor));
  const subjects: Record<string, Subject> = {
    "docker create": () => bare.createAndEcho(),
    "create, entered": () => createAndEcho(providers.entered),
    "create, from a built base": () => createAndEcho(providers.entered, built),
    "create, by a helper": () => createAndEcho(providers.helper),
    "create, by a relay": () => createAndEcho(providers.relay),
    "docker exec": () => bare.echo(donor),
    exec: () => echo(sandbox),
    "exec on a terminal": () => echo(sandbox, { columns: 80, rows: 24 }),
  };
  const rounds = { warmUp: 2, counted: Math.ceil(RUNS * effort), signal };
  const times = await timeInTurn(subjects, rounds);
  const ratio = (own: string, other: string, atMost: number): Figure => ({
    promise: "DOCKER",
    what: `${own} to ${other}`,
    value: (times[own]?.p50 ?? Number.NaN) / (times[other]?.p50 ?? Number.NaN),
    unit: "×",
    target: { atMost },
  });
  return [
    ...Object.entries(times).map(([name, { p50 }]) => figure(`${name} → first byte, p50`, p50)),
    { ...ratio("create, entered", "docker create", 1.5), gates: true },
    { ...ratio("create, from a built base", "create, entered", 1.2), gates: true },
    // A second container costs what it costs.
    { ...ratio("create, by a helper", "docker create", 1.9), gates: true },
    { ...ratio("create, by a relay", "docker create", 1.9), gates: true },
    { ...ratio("exec", "docker exec", 1.3), gates: true },
    ...(await measureContainerTerminal(sandbox, effort)),
    await measureCrowd(providers.entered),
  ];
}

function figure(what: string, value: number, unit: Figure["unit"] = "ms"): Figure {
  return { promise: "DOCKER", what, value, unit };
}

type Standing = Partial<Pick<SandboxSpecification, "base" | "homeLayers" | "hasRoot">>;

interface Ground {
  readonly provider: SandboxProvider;
  start(on?: Standing): Promise<{ sandbox: RunningSandbox; remove(): Promise<void> }>;
  close(): Promise<void>;
}

function ground(rig: DockerRig, way: "helper" | "relay" | undefined): Ground {
  const directories = {
    stateDirectory: join(rig.directory, way ?? "entered", "state"),
    runtimeDirectory: join(rig.directory, way ?? "entered", "run"),
  };
  const provider: SandboxProvider = rig.provider(directories, way);
  const sockets = holdSockets();
  let count = 0;
  return {
    provider,
    async start(on = {}) {
      const specification = { ...specify(`bench-${(count += 1)}`, rig.directory), ...on };
      const { workspace: _none, ...without } = specification;
      await provider.create(without, NEVER);
      const sandbox = await provider.start(without, sockets, NEVER);
      return {
        sandbox,
        async remove() {
          await sandbox.stop();
          await provider.destroy(sandbox.id);
        },
      };
    },
    async close() {
      await provider.close();
      sockets.close();
    },
  };
}

/** A template's base, and what a step of setup wrote as root and into the home. */
async function buildAsRoot({ provider, start }: Ground): Promise<Standing> {
  const source = { kind: "image", reference: IMAGE } as const;
  const base = await provider.bases?.prepare(source, { signal: NEVER });
  if (base === undefined) return {};
  const { sandbox, remove } = await start({ base, hasRoot: true });
  const script = "mkdir -p /opt/tools ~/tools && seq 1 2000 | split -l 1 -a 4 - /opt/tools/";
  const program = await sandbox.exec({ argv: ["sh", "-c", script], root: true }, NEVER);
  program.output.resume();
  program.errors?.resume();
  await program.ended;
  await sandbox.stop();
  await provider.layers.seal(sandbox.id, "built");
  await remove();
  return { base, homeLayers: ["built"] };
}

async function createAndEcho(from: Ground, on: Standing = {}): Promise<Aftermath> {
  const { sandbox, remove } = await from.start(on);
  const drain = await echo(sandbox);
  return async () => {
    await drain();
    await remove();
  };
}

async function echo(
  sandbox: RunningSandbox,
  terminal?: { columns: number; rows: number },
): Promise<Aftermath> {
  const program = await sandbox.exec({ argv: ECHO, ...(terminal && { terminal }) }, NEVER);
  await once(program.output, "data");
  program.errors?.resume();
  return () => program.ended;
}

/** The calls that a person's own program would make. */
class BareDocker {
  readonly #engine: Engine;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  async make(): Promise<string> {
    const HostConfig = { NetworkMode: "none", Init: true };
    const wish = { Image: IMAGE, Cmd: ["sleep", "infinity"], HostConfig };
    const id = await this.#engine.createContainer(undefined, wish);
    await this.#engine.startContainer(id);
    return id;
  }

  async echo(id: string): Promise<Aftermath> {
    const wish = { argv: ECHO, environment: [], user: "", hasTerminal: false, hasInput: false };
    const exec = await this.#engine.createExec(id, wish);
    const { socket, head } = await this.#engine.startExec(exec, false);
    if (head.length === 0) await once(socket, "data");
    const ended = once(socket, "end");
    socket.resume();
    return async () => {
      await ended;
      socket.destroy();
    };
  }

  async createAndEcho(): Promise<Aftermath> {
    const id = await this.make();
    const drain = await this.echo(id);
    return async () => {
      await drain();
      await this.remove(id);
    };
  }

  async remove(id: string): Promise<void> {
    await this.#engine.removeContainer(id);
  }
}

async function measureCrowd(from: Ground): Promise<Figure> {
  const start = performance.now();
  const made = await Promise.all(Array.from({ length: CROWD }, () => from.start()));
  const elapsedMs = performance.now() - start;
  await Promise.all(made.map(({ remove }) => remove()));
  return figure(`${CROWD} at once, all of them`, elapsedMs);
}
