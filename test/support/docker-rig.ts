import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
} from "node:fs";
import { createHash } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { DockerDaemon, whyNoDocker } from "../../bench/peers/docker-daemon.ts";
import { findPrograms, succeed, type Environment } from "../../bench/peers/peer.ts";
import type { SandboxProvider } from "../../src/sandbox/provider.ts";
import { createDockerProvider } from "../../src/sandbox/providers/docker/provider.ts";
import type { ProviderDirectories } from "../../src/testing/conformance/sandbox-yard.ts";
import { requirement, type Requirement } from "./requirement.ts";
import { openRigDirectory, removeRigDirectory } from "./rig-directory.ts";

const CACHE = "/var/cache/cattlegrid/docker";
const ENGINE: ProgramSet = {
  directory: "programs",
  programs: ["dockerd", "docker", "containerd", "runc"],
  packages: ["docker.io", "containerd", "runc", "tini"],
};
export const IMAGE = "cattlegrid-test";
/** The shape of an image for sandboxes: sh, curl, CA roots and a user with the number 1000; also what a template installs with. */
const IMAGE_PACKAGES = "apt,passwd,curl,ca-certificates,python3,git,procps,nftables,iproute2";
const SUITE = "bookworm";
const RECIPE = [
  "mmdebstrap",
  "--variant=essential",
  `--include=${IMAGE_PACKAGES}`,
  '--customize-hook=chroot "$1" useradd --uid 1000 --create-home somebody',
  '--customize-hook=rm -rf "$1"/var/lib/apt/lists "$1"/var/cache/apt "$1"/usr/share/doc "$1"/usr/share/locale',
  SUITE,
];

/** Whether this machine lets a test run a Docker engine of its own. */
export const DOCKER: Requirement = requirement("a Docker engine of its own", () => {
  const why = whyNoDocker();
  if (why !== undefined) return why;
  if (existsSync(imagePath()) || isInstalled("mmdebstrap")) return undefined;
  return "no mmdebstrap to make its image with (scripts/bootstrap.sh --test)";
});

/**
 * A Docker engine for one test file, with its own data, socket and image, of which nothing is left. Its mounts follow this
 * machine's below `directory`, as those of an installed engine do everywhere.
 */
export class DockerRig implements AsyncDisposable {
  readonly directory: string;
  readonly #environment: Environment;
  readonly #configured: object;
  #daemon: DockerDaemon;

  private constructor(
    directory: string,
    parts: { environment: Environment; configured: object; daemon: DockerDaemon },
  ) {
    this.directory = directory;
    this.#environment = parts.environment;
    this.#configured = parts.configured;
    this.#daemon = parts.daemon;
  }

  /** For the whole of a test file, whose directories then lie where the engine sees this machine's mounts. */
  static async forFile(
    configured: object = {},
    needed: Requirement = DOCKER,
  ): Promise<DockerRig | undefined> {
    if (!needed.met) return undefined;
    const rig = await DockerRig.open(configured);
    process.env["TMPDIR"] = rig.directory;
    afterAll(() => rig[Symbol.asyncDispose]());
    return rig;
  }

  /** `configured` is the engine's configuration; `parent` the directory in which all of it lies. */
  static async open(configured: object = {}, parent: string = tmpdir()): Promise<DockerRig> {
    const environment = await findOrUnpack();
    const image = await makeImage();
    const directory = await openRigDirectory(parent, "cg-docker-");
    try {
      const daemon = await DockerDaemon.open(environment, join(directory, "d"), configured);
      const rig = new DockerRig(directory, { environment, configured, daemon });
      await rig.docker("import", image, IMAGE);
      return rig;
    } catch (error) {
      removeRigDirectory(directory);
      throw error;
    }
  }

  get socketPath(): string {
    return this.#daemon.socketPath;
  }

  /** A provider over this engine, for suites that make many. */
  provider(directories: ProviderDirectories, way?: "helper" | "relay"): SandboxProvider {
    const host = `unix://${this.socketPath}`;
    return createDockerProvider({ ...directories, host, image: IMAGE, ...(way && { way }) });
  }

  /** Runs Docker's own command line. */
  docker(...argv: readonly string[]): Promise<string> {
    const environment = {
      ...this.#environment,
      DOCKER_HOST: `unix://${this.socketPath}`,
      DOCKER_CONFIG: join(this.directory, "client"),
    };
    return succeed(["docker", ...argv], { environment, cwd: this.directory });
  }

  /** What is there of each kind that a sandbox could leave. */
  async count(): Promise<{ containers: number; volumes: number; networks: number }> {
    const lines = async (...argv: readonly string[]): Promise<number> =>
      (await this.docker(...argv)).split("\n").filter(Boolean).length;
    return {
      containers: await lines("ps", "--all", "--quiet"),
      volumes: await lines("volume", "ls", "--quiet"),
      networks: await lines("network", "ls", "--quiet"),
    };
  }

  /** Kills the engine and everything that it runs. */
  async kill(): Promise<void> {
    await this.#daemon[Symbol.asyncDispose]();
  }

  /** Starts one again after it was killed, with what it had on disk. */
  async start(): Promise<void> {
    const directory = join(this.directory, "d");
    this.#daemon = await DockerDaemon.open(this.#environment, directory, this.#configured);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    removeRigDirectory(this.directory);
  }
}

/** Installed ones, or those of Debian packages that are unpacked once by a machine. */
export interface ProgramSet {
  /** Below the cache. */
  directory: string;
  programs: readonly string[];
  packages: readonly string[];
}

export async function findOrUnpack(set: ProgramSet = ENGINE): Promise<Environment> {
  const { programs, packages, directory } = set;
  const cached = join(CACHE, directory);
  if (!existsSync(cached)) {
    mkdirSync(CACHE, { recursive: true });
    const building = mkdtempSync(`${cached}.`);
    const { LD_LIBRARY_PATH } = await findPrograms(programs, packages, building);
    if (LD_LIBRARY_PATH === undefined) {
      rmSync(building, { recursive: true });
      return findPrograms(programs, packages, tmpdir());
    }
    moveOnce(building, cached);
  }
  const root = join(cached, "debian/usr");
  const triplet = process.arch === "arm64" ? "aarch64" : "x86_64";
  const path = process.env["PATH"] ?? "/usr/bin:/bin";
  return {
    PATH: `${root}/sbin:${root}/bin:${path}`,
    LD_LIBRARY_PATH: `${root}/lib/${triplet}-linux-gnu`,
    HOME: "/root",
    LANG: "C.UTF-8",
  };
}

/** Its root file system as a tar archive; made once by a machine. */
export async function makeImage(): Promise<string> {
  const path = imagePath();
  if (existsSync(path)) return path;
  mkdirSync(CACHE, { recursive: true });
  const building = mkdtempSync(`${path}.`);
  const [program = "", ...rest] = RECIPE;
  await succeed([program, ...rest, join(building, "root.tar")], { cwd: building });
  renameSync(join(building, "root.tar"), path);
  rmSync(building, { recursive: true });
  return path;
}

function imagePath(): string {
  const recipe = createHash("sha256").update(RECIPE.join("\0")).digest("hex").slice(0, 12);
  return join(CACHE, `image-${recipe}.tar`);
}

function moveOnce(building: string, path: string): void {
  try {
    renameSync(building, path);
  } catch (error) {
    if (!existsSync(path)) throw error;
    rmSync(building, { recursive: true });
  }
}

function isInstalled(name: string): boolean {
  return ["/usr/bin", "/usr/sbin", "/bin"].some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
      throw error;
    }
  });
}
