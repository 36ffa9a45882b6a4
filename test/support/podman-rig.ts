import { once } from "node:events";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll } from "vitest";
import { enclose, endEnclosed } from "../../bench/peers/docker-daemon.ts";
import { succeed, type Environment } from "../../bench/peers/peer.ts";
import { spawnProcess, type ChildProcess } from "../../src/platform/process.ts";
import type { SandboxProvider } from "../../src/sandbox/provider.ts";
import { Engine } from "../../src/sandbox/providers/docker/engine/engine.ts";
import { EngineClient } from "../../src/sandbox/providers/docker/engine/engine-client.ts";
import { createDockerProvider } from "../../src/sandbox/providers/docker/provider.ts";
import type { ProviderDirectories } from "../../src/testing/conformance/sandbox-yard.ts";
import { DOCKER, findOrUnpack, IMAGE, makeImage } from "./docker-rig.ts";
import { openRigDirectory, removeRigDirectory } from "./rig-directory.ts";

/** A machine on which an engine can run can run this one. */
export const PODMAN = DOCKER;
const SERVICE = {
  directory: "podman",
  programs: ["podman", "conmon", "catatonit"],
  packages: "podman conmon catatonit libgpgme11 libassuan0 libsubid4 libglib2.0-0".split(" "),
};
const TRIES = 300;
const PAUSE_MS = 100;

/** Podman's service with storage, settings and a socket of its own, of which nothing is left. */
export class PodmanRig implements AsyncDisposable {
  readonly #directory: string;
  readonly #service: ChildProcess;

  private constructor(directory: string, service: ChildProcess) {
    this.#directory = directory;
    this.#service = service;
  }

  static async forFile(isWanted: boolean): Promise<PodmanRig | undefined> {
    if (!isWanted) return undefined;
    const image = await makeImage();
    const directory = await openRigDirectory(tmpdir(), "cg-podman-");
    const environment = await configure(directory);
    const socketPath = join(directory, "s");
    const argv = enclose('exec "$@"', [
      ...command(directory),
      "system",
      "service",
      "--time=0",
      `unix://${socketPath}`,
    ]);
    const options = { cwd: directory, environment, detached: true, stdio: "ignore" as const };
    const rig = new PodmanRig(directory, spawnProcess(argv, options));
    process.env["TMPDIR"] = directory;
    afterAll(() => rig[Symbol.asyncDispose]());
    await answering(socketPath);
    await succeed([...command(directory), "import", image, `docker.io/library/${IMAGE}`], {
      cwd: directory,
      environment,
    });
    return rig;
  }

  provider(directories: ProviderDirectories, way?: "helper" | "relay"): SandboxProvider {
    const host = `unix://${join(this.#directory, "s")}`;
    return createDockerProvider({ ...directories, host, image: IMAGE, ...(way && { way }) });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Only with its container does a control group go.
    await removeAll(new Engine(new EngineClient(join(this.#directory, "s"))));
    await endEnclosed(this.#service);
    removeRigDirectory(this.#directory);
  }
}

/** One whose network others have joined goes after them. */
async function removeAll(engine: Engine): Promise<void> {
  const containers = await engine.listContainers({});
  if (containers.length === 0) return;
  const removals = await Promise.allSettled(containers.map(({ Id }) => engine.removeContainer(Id)));
  const failed = removals.filter((removal) => removal.status === "rejected");
  if (failed.length === containers.length) throw failed[0]?.reason;
  await removeAll(engine);
}

function command(directory: string): readonly string[] {
  return [
    "podman",
    "--cgroup-manager=cgroupfs",
    "--runtime=runc",
    `--root=${join(directory, "data")}`,
    `--runroot=${join(directory, "run")}`,
    `--tmpdir=${join(directory, "tmp")}`,
  ];
}

async function configure(directory: string): Promise<Environment> {
  const [engine, own] = [await findOrUnpack(), await findOrUnpack(SERVICE)];
  const joined = (name: string): string =>
    [own[name], engine[name]].filter((each) => each !== undefined).join(":");
  const environment = {
    PATH: `${joined("PATH")}:/usr/sbin:/usr/bin:/sbin:/bin`,
    LD_LIBRARY_PATH: joined("LD_LIBRARY_PATH"),
    HOME: directory,
    CONTAINERS_CONF: join(directory, "containers.conf"),
  };
  const find = (name: string): string => findProgram(name, environment.PATH);
  const handed = ["PATH", "LD_LIBRARY_PATH"] as const;
  const settings = {
    // A machine may not be able to give the default limits.
    containers: { default_ulimits: [] },
    // A sandbox has no network of the engine's.
    network: { network_backend: "cni" },
    engine: {
      events_logger: "none",
      init_path: find("catatonit"),
      conmon_path: [find("conmon")],
      conmon_env_vars: handed.map((name) => `${name}=${environment[name]}`),
    },
    "engine.runtimes": { runc: [find("runc")] },
  };
  const text = Object.entries(settings).map(([section, values]) => {
    const lines = Object.entries(values).map(
      ([name, value]) => `${name} = ${JSON.stringify(value)}`,
    );
    return [`[${section}]`, ...lines].join("\n");
  });
  mkdirSync(join(directory, "tmp"));
  mkdirSync(join(directory, ".config/containers"), { recursive: true });
  const policy = { default: [{ type: "insecureAcceptAnything" }] };
  writeFileSync(join(directory, ".config/containers/policy.json"), JSON.stringify(policy));
  writeFileSync(environment.CONTAINERS_CONF, `${text.join("\n")}\n`);
  return environment;
}

function findProgram(name: string, path: string): string {
  const found = path.split(":").find((folder) => existsSync(join(folder, name)));
  if (found === undefined) throw new TypeError(`there is no ${name}`);
  return join(found, name);
}

async function answering(socketPath: string): Promise<void> {
  for (let left = TRIES; left > 0; left -= 1) {
    if (existsSync(socketPath)) {
      const socket = connect(socketPath);
      const isOpen = await Promise.race([
        once(socket, "connect").then(() => true),
        once(socket, "error").then(() => false),
      ]);
      socket.destroy();
      if (isOpen) return;
    }
    await delay(PAUSE_MS);
  }
  throw new TypeError("Podman's service did not come up");
}
