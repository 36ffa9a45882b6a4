import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { BareRuntime, ECHO, findKeeper, childrenOf } from "./bare-runtime.ts";
import { echo, openLocal, startDonor, type LocalYard } from "./create.ts";
import { kernelBytes, proportionalBytes } from "./memory.ts";
import type { Figure } from "./report.ts";
import { timeInTurn, type Aftermath } from "./statistics.ts";
import type { BenchContext } from "./yard.ts";

const CROWD = 100;
const RUNS = 3;
const MIB = 2 ** 20;
const TOO_EARLY_RETRIES = 100;
const TOO_EARLY_PAUSE_MS = 5;

/** P3: a hundred sandboxes at once, none prepared, each of which runs a program; and what they take when idle. */
export async function measureCrowd({ yard, signal, effort }: BenchContext): Promise<Figure[]> {
  await using local = await openLocal(yard.makeDirectory("crowd"));
  const donor = await startDonor(local, signal);
  const bare = new BareCrowd(local, donor.id);
  await bare.prepare();
  const idle = new IdleCost();
  let round = 0;
  const times = await timeInTurn(
    {
      crowd: () => openCrowd(local, `round-${(round += 1)}`, { signal, idle }),
      bare: () => bare.open(),
    },
    { warmUp: 0, counted: Math.max(1, Math.round(RUNS * effort)), signal },
  );
  const [crowd, floor] = [times.crowd.p50 / 1000, times.bare.p50 / 1000];
  const figure = { promise: "P3", unit: "s" } as const;
  const memory = { promise: "P3", unit: "MiB" } as const;
  const ratio = { promise: "P3", unit: "×", target: { atMost: 1.5 }, gates: true } as const;
  return [
    {
      ...figure,
      what: `${CROWD} at once, each runs a program`,
      value: crowd,
      target: { atMost: 1.5 },
    },
    { ...figure, what: `bare crun, ${CROWD} × run and exec at once`, value: floor },
    { ...ratio, what: "to bare", value: crowd / floor },
    { ...memory, what: "idle sandbox in all", value: idle.inAll, target: { atMost: 3 } },
    { ...memory, what: "its own processes", value: idle.processes },
    { ...memory, what: "its part of engine and keeper", value: idle.engine },
    { ...memory, what: "its part of the kernel, about", value: idle.kernel },
  ];
}

/** What one idle sandbox takes, in MiB; of the last crowd that was looked at. */
class IdleCost {
  processes = 0;
  engine = 0;
  kernel = 0;

  get inAll(): number {
    return this.processes + this.engine + this.kernel;
  }
}

interface CrowdOptions {
  signal: AbortSignal;
  idle: IdleCost;
}

/** Every one of them has to work: the first that does not fails the bench. */
async function openCrowd(
  local: LocalYard,
  name: string,
  { signal, idle }: CrowdOptions,
): Promise<Aftermath> {
  const keeperPid = keeperOf(process.pid);
  const before = { ...takeStock(keeperPid), inits: new Set(childrenOf(keeperPid)) };
  const sandboxes = await Promise.all(
    Array.from({ length: CROWD }, async (_, index) => {
      const sandbox = await local.start(`${name}-${index}`, signal);
      const drain = await echo(sandbox, signal);
      await drain();
      return sandbox;
    }),
  );
  return async () => {
    const after = takeStock(keeperPid);
    const inits = childrenOf(keeperPid).filter((pid) => !before.inits.has(pid));
    idle.processes = inits.reduce((sum, pid) => sum + proportionalBytes(pid), 0) / CROWD / MIB;
    idle.engine = Math.max(0, after.engine - before.engine) / CROWD / MIB;
    idle.kernel = Math.max(0, after.kernel - before.kernel) / CROWD / MIB;
    // What they wrote stays until the end: ext4 without a journal passes over every inode that was freed in the last
    // minutes, so that each crowd would pay for the removal of the one before it.
    await Promise.all(sandboxes.map((sandbox) => sandbox.stop()));
  };
}

function takeStock(keeperPid: number): { engine: number; kernel: number } {
  const engine = proportionalBytes(process.pid) + proportionalBytes(keeperPid);
  return { engine, kernel: kernelBytes() };
}

/** The keeper itself is the child of the process through which it is entered. */
function keeperOf(enginePid: number): number {
  return childrenOf(findKeeper(enginePid))[0] ?? -1;
}

/** The same by the runtime alone: containers that stay, each with a network of its own, and a program run in each. */
class BareCrowd {
  readonly #local: LocalYard;
  readonly #bare: BareRuntime;
  readonly #bundles: string[] = [];
  #processFile = "";

  constructor(local: LocalYard, donorName: string) {
    this.#local = local;
    this.#bare = new BareRuntime({
      enginePid: process.pid,
      runtimeDirectory: local.directory.runtime,
      donorName,
      directory: local.workspace,
    });
  }

  async prepare(): Promise<void> {
    this.#processFile = this.#bare.writeProcess(ECHO);
    for (let index = 0; index < CROWD; index += 1) {
      const changes = { ownNetwork: true };
      const { provider } = this.#local;
      this.#bundles.push(await this.#bare.makeBundle(provider, `equal-${index}`, changes));
    }
  }

  async open(): Promise<Aftermath> {
    const places = this.#bundles.map((bundle, index) => ({
      bundle,
      id: `bare-${index}`,
      stateRoot: join(bundle, "crun"),
    }));
    await Promise.all(
      places.map(async (place) => {
        await this.#bare.run(place.bundle, place.id, ["--detach"]).succeed();
        await this.#execOnceUp(place);
      }),
    );
    return () => Promise.all(places.map((place) => this.#bare.delete(place).succeed()));
  }

  /** The runtime calls a container started a moment before it can be entered: the engine tries again as well. */
  async #execOnceUp(place: { id: string; stateRoot: string }): Promise<void> {
    for (let retry = 0; ; retry += 1) {
      try {
        return await this.#bare.exec(this.#processFile, place).succeed();
      } catch (error) {
        if (retry === TOO_EARLY_RETRIES || !/setns\(.*not permitted/.test(String(error)))
          throw error;
      }
      await delay(TOO_EARLY_PAUSE_MS);
    }
  }
}
