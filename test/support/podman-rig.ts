import { once } from "node:events";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll } from "vitest";
import { succeed, type Environment } from "../../bench/peers/peer.ts";
import { runProcess, spawnProcess, type ChildProcess } from "../../src/platform/process.ts";
import type { SandboxProvider } from "../../src/sandbox/provider.ts";
import { createDockerProvider } from "../../src/sandbox/providers/docker/provider.ts";
import type { ProviderDirectories } from "../../src/testing/conformance/sandbox-yard.ts";
import { DOCKER, IMAGE, makeImage } from "./docker-rig.ts";
import { allOf, program } from "./requirement.ts";
import { openRigDirectory, removeRigDirectory } from "./rig-directory.ts";

export const PODMAN = allOf(DOCKER, program("podman"), program("conmon"), program("runc"));
const TRIES = 300;
const PAUSE_MS = 100;

/** Podman's service with storage, settings and a socket of its own, of which nothing is left. */
export class PodmanRig implements AsyncDisposable {
  readonly #directory: string;
  readonly #service: ChildProcess;
  readonly #environment: Environment;

  private constructor(directory: string, service: ChildProcess, environment: Environment) {
    this.#directory = directory;
    this.#service = service;
    this.#environment = environment;
  }

  static async forFile(isWanted: boolean): Promise<PodmanRig | undefined> {
    if (!isWanted) return undefined;
    const image = await makeImage();
    const directory = await openRigDirectory(tmpdir(), "cg-podman-");
    const environment = configure(directory);
    const socketPath = join(directory, "s");
    const bound = ["setpriv", "--pdeathsig", "KILL", "--"];
    const argv = [
      ...bound,
      ...command(directory),
      "system",
      "service",
      "--time=0",
      `unix://${socketPath}`,
    ];
    const service = spawnProcess(argv, { cwd: directory, environment, stdio: "ignore" });
    const rig = new PodmanRig(directory, service, environment);
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
    const all = [...command(this.#directory), "rm", "--all", "--force", "--time=0"];
    await runProcess(all, { cwd: "/", environment: this.#environment });
    const exited = once(this.#service, "exit");
    this.#service.kill("SIGTERM");
    await exited;
    removeRigDirectory(this.#directory);
  }
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

function configure(directory: string): Environment {
  const settings = join(directory, "containers.conf");
  mkdirSync(join(directory, "tmp"));
  // A machine may not be able to give the default limits.
  writeFileSync(settings, '[containers]\ndefault_ulimits = []\n[engine]\nevents_logger = "none"\n');
  return {
    PATH: `${process.env["PATH"]}:/usr/sbin:/usr/bin:/sbin:/bin`,
    HOME: directory,
    CONTAINERS_CONF: settings,
  };
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
