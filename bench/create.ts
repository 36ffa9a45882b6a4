import { once } from "node:events";
import { existsSync, mkdirSync } from "node:fs";
import { ProcessLauncher } from "../src/platform/process-launcher.ts";
import type { RunningSandbox, SandboxProvider } from "../src/sandbox/provider.ts";
import { createLocalProvider } from "../src/sandbox/providers/local/provider.ts";
import { BareProcess, BareRuntime, ECHO, firstByte } from "./bare-runtime.ts";
import type { Figure } from "./report.ts";
import { timeInTurn, type Aftermath, type Subject } from "./statistics.ts";
import { holdSockets, specify, type BenchContext } from "./yard.ts";

const RUNS = 60;
const BUBBLEWRAP = "/usr/bin/bwrap";

/** P1: from no sandbox at all to the first byte of a program in one, with only the engine resident. */
export async function measureCreate({ yard, signal, effort }: BenchContext): Promise<Figure[]> {
  await using local = await openLocal(yard.makeDirectory("create"));
  const { provider, directory, workspace } = local;
  const donor = await startDonor(local, signal);
  const bare = new BareRuntime({
    enginePid: process.pid,
    runtimeDirectory: directory.runtime,
    donorName: donor.id,
    directory: workspace,
  });
  const bundle = await bare.makeBundle(provider, "equal", { argv: ECHO });
  let count = 0;
  const subjects: Record<string, Subject> = {
    async create() {
      const sandbox = await local.start(`made-${(count += 1)}`, signal);
      const drain = await echo(sandbox, signal);
      return async () => {
        await drain();
        await sandbox.stop();
        await provider.destroy(sandbox.id);
      };
    },
    bare: () => firstByte(bare.run(bundle, `bare-${(count += 1)}`)),
    ...(existsSync(BUBBLEWRAP) && { bubblewrap: () => firstByte(runBubblewrap()) }),
  };
  const {
    create,
    bare: floor,
    bubblewrap,
  } = await timeInTurn(subjects, {
    warmUp: 3,
    counted: Math.ceil(RUNS * effort),
    signal,
  });
  if (create === undefined || floor === undefined) return [];
  const figure = { promise: "P1", unit: "ms" } as const;
  const ratio = create.p50 / floor.p50;
  return [
    { ...figure, what: "create → first byte, p50", value: create.p50, target: { atMost: 20 } },
    { ...figure, what: "create → first byte, p99", value: create.p99, target: { atMost: 50 } },
    { ...figure, what: "bare crun run, equal bundle, p50", value: floor.p50 },
    { ...figure, what: "to bare", value: ratio, unit: "×", target: { atMost: 3 }, gates: true },
    ...(bubblewrap === undefined
      ? []
      : [{ ...figure, what: "bubblewrap, the floor, p50", value: bubblewrap.p50 }]),
  ];
}

/** A local provider of this process, with its keeper resident. */
export interface LocalYard extends AsyncDisposable {
  provider: SandboxProvider;
  directory: { state: string; runtime: string };
  workspace: string;
  /** Creates and starts, from nothing. */
  start(id: string, signal: AbortSignal): Promise<RunningSandbox>;
}

export async function openLocal(parent: string): Promise<LocalYard> {
  const directory = { state: `${parent}/state`, runtime: `${parent}/run` };
  const provider = createLocalProvider({
    stateDirectory: directory.state,
    runtimeDirectory: directory.runtime,
  });
  const sockets = holdSockets();
  const workspace = `${parent}/workspace`;
  mkdirSync(workspace);
  return {
    provider,
    directory,
    workspace,
    async start(id, signal) {
      const specification = specify(id, workspace);
      await provider.create(specification, signal);
      return provider.start(specification, sockets, signal);
    },
    async [Symbol.asyncDispose]() {
      await provider.close();
      sockets.close();
    },
  };
}

/** The first sandbox of an engine makes what all others then have: only the second one's bundle is like theirs. */
export async function startDonor(local: LocalYard, signal: AbortSignal): Promise<RunningSandbox> {
  await local.start("first", signal);
  return local.start("donor", signal);
}

/** Runs `echo` inside, up to its first byte. */
export async function echo(sandbox: RunningSandbox, signal: AbortSignal): Promise<Aftermath> {
  const program = await sandbox.exec({ argv: ECHO }, signal);
  await once(program.output, "data");
  program.errors?.resume();
  return () => program.ended;
}

/** About what a sandbox has in namespaces and mounts, without system call filter, network or later exec. */
function runBubblewrap(): BareProcess {
  const links = ["bin", "lib", "lib64"].flatMap((name) => ["--symlink", `usr/${name}`, `/${name}`]);
  const mounts = [
    "--ro-bind",
    "/usr",
    "/usr",
    "--proc",
    "/proc",
    "--dev",
    "/dev",
    "--tmpfs",
    "/tmp",
  ];
  const argv = [BUBBLEWRAP, "--unshare-all", ...mounts, ...links, ...ECHO];
  return new BareProcess(new ProcessLauncher(), argv);
}
