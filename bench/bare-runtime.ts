import { once } from "node:events";
import { closeSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { Socket } from "node:net";
import { join } from "node:path";
import { CattlegridError } from "../src/errors/error.ts";
import { openPipe } from "../src/platform/native/descriptor.ts";
import { ProcessLauncher, type LaunchedProcess } from "../src/platform/process-launcher.ts";
import type { SandboxProvider } from "../src/sandbox/provider.ts";
import { runtimePath } from "../src/sandbox/providers/local/keeper/message.ts";
import { specify } from "./yard.ts";

/** The parts of an OCI configuration that are changed to make an equal one. */
interface Configuration {
  hostname: string;
  process: Record<string, unknown>;
  mounts: { destination: string; source: string; options: string[] }[];
  linux: { namespaces: { type: string; path?: string }[] };
}

interface BundleChanges {
  /** Replaces the first process. */
  argv?: readonly string[];
  /** A new network namespace instead of the donor's, which is there already. */
  ownNetwork?: boolean;
}

export const ECHO = ["/usr/bin/echo", "hi"];

/**
 * The container runtime by itself, doing what the engine makes it do: the same program, started in the same way, with
 * the same bundle (mounts, compiled system call filter, namespaces) in the keeper's namespaces, and nothing around it.
 * Bundles are derived from that of a real sandbox.
 */
export class BareRuntime {
  readonly #launcher = new ProcessLauncher();
  readonly #enter: readonly string[];
  readonly #directory: string;
  readonly #donor: { directory: string; configuration: Configuration };

  /** `enginePid` runs the donor sandbox called `donorName`, whose files are below `runtimeDirectory`. */
  constructor(sources: {
    enginePid: number;
    runtimeDirectory: string;
    donorName: string;
    directory: string;
  }) {
    this.#enter = enterKeeper(findKeeper(sources.enginePid));
    this.#directory = sources.directory;
    this.#donor = findBundle(join(sources.runtimeDirectory, "local"), sources.donorName);
  }

  /** Makes an equal bundle with writable directories of its own. */
  async makeBundle(
    provider: SandboxProvider,
    id: string,
    { argv, ownNetwork = false }: BundleChanges = {},
  ): Promise<string> {
    const { configuration, directory } = this.#donor;
    // The provider makes the directories, so that they belong to whom they belong in a sandbox.
    await provider.create(specify(id, directory), AbortSignal.timeout(10_000));
    const own = (text: string): string =>
      text.replaceAll(`/s/${configuration.hostname}/`, `/s/${id}/`);
    const bundle = join(this.#directory, id);
    mkdirSync(bundle, { recursive: true });
    const equal = {
      ...configuration,
      hostname: id,
      process: { ...configuration.process, ...(argv && { args: argv }) },
      linux: {
        ...configuration.linux,
        namespaces: configuration.linux.namespaces.map((namespace) =>
          ownNetwork ? { type: namespace.type } : namespace,
        ),
      },
      mounts: configuration.mounts.map((mount) => ({
        ...mount,
        options: mount.options.map(own),
        // The keeper has let go of what it laid for the donor; each such tree lies at the same path on the host.
        source: mount.source.startsWith("/sys/m/") ? mount.destination : mount.source,
      })),
    };
    writeFileSync(join(bundle, "config.json"), JSON.stringify(equal));
    return bundle;
  }

  /** `run` of a bundle; with `--detach` it ends when the first process runs. */
  run(bundle: string, id: string, options: readonly string[] = []): BareProcess {
    return this.#spawn([
      `--root=${join(bundle, "crun")}`,
      "--cgroup-manager=disabled",
      "run",
      "--no-new-keyring",
      ...options,
      `--bundle=${bundle}`,
      id,
    ]);
  }

  /** `exec` of `argv` in a container that runs; `id` and `stateRoot` default to the donor's own. */
  exec(
    processFile: string,
    at: { id: string; stateRoot: string } = this.donor,
    options: readonly string[] = [],
  ): BareProcess {
    return this.#spawn([
      `--root=${at.stateRoot}`,
      "exec",
      ...options,
      `--process=${processFile}`,
      at.id,
    ]);
  }

  delete(at: { id: string; stateRoot: string }): BareProcess {
    return this.#spawn([`--root=${at.stateRoot}`, "delete", "--force", at.id]);
  }

  /** The donor's container. */
  get donor(): { id: string; stateRoot: string } {
    const stateRoot = join(this.#donor.directory, "state");
    const [id = ""] = readdirSync(stateRoot);
    return { id, stateRoot };
  }

  /** Writes a whole process object for `exec`, as the engine gives it. */
  writeProcess(argv: readonly string[], changes: Record<string, unknown> = {}): string {
    const path = join(this.#directory, `process-${argv.length}-${changes["terminal"] === true}`);
    const { process } = this.#donor.configuration;
    writeFileSync(path, JSON.stringify({ ...process, args: argv, ...changes }));
    return path;
  }

  #spawn(argv: readonly string[]): BareProcess {
    return new BareProcess(this.#launcher, [...this.#enter, runtimePath("crun"), ...argv]);
  }
}

/** A program that somebody waits for, with what it writes. */
export class BareProcess {
  readonly output: Socket;
  readonly #child: Promise<LaunchedProcess>;
  #errors = "";

  constructor(launcher: ProcessLauncher, argv: readonly string[]) {
    const [input, output, errors] = [openPipe(), openPipe(), openPipe()];
    closeSync(input.writeFd);
    this.#child = launcher.launch(argv, {
      // SECURITY: the runtime makes the container's user their owner; /dev/null here would become that user's.
      descriptors: [input.readFd, output.writeFd, errors.writeFd],
      environment: { PATH: "/usr/bin:/bin" },
    });
    const close = (): void => {
      for (const fd of [input.readFd, output.writeFd, errors.writeFd]) closeSync(fd);
    };
    void this.#child.then(close, close);
    this.output = new Socket({ fd: output.readFd, readable: true, writable: false });
    const complaints = new Socket({ fd: errors.readFd, readable: true, writable: false });
    complaints.on("data", (bytes: Buffer) => (this.#errors += bytes.toString()));
  }

  /** Resolves when it has ended; a container that it started lives on and holds its output. */
  async succeed(): Promise<void> {
    this.output.resume();
    const { exited } = await this.#child;
    const { code, signal } = await exited;
    if (code === 0) return;
    const message = `The bare runtime failed with ${code ?? signal}: ${this.#errors}`;
    throw new CattlegridError("INTERNAL", message);
  }
}

/** Resolves at the first byte of `child`, with waiting for its end as what remains. */
export async function firstByte(child: BareProcess): Promise<() => Promise<void>> {
  await Promise.race([once(child.output, "data"), once(child.output, "close")]);
  return () => child.succeed();
}

function enterKeeper(keeperPid: number): readonly string[] {
  const own = `/proc/${keeperPid}/ns`;
  const asUser = process.getuid?.() !== 0;
  return [
    "/usr/bin/nsenter",
    ...(asUser ? ["--preserve-credentials", `--user=${own}/user`] : []),
    `--mount=${own}/mnt`,
    `--pid=${own}/pid_for_children`,
    "--",
  ];
}

/** The process through which the engine's keeper is entered: the engine's own child. */
export function findKeeper(enginePid: number): number {
  for (const pid of childrenOf(enginePid)) {
    if (readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("/keeper/main")) return pid;
  }
  throw new CattlegridError("INTERNAL", `the engine ${enginePid} has no keeper`);
}

export function childrenOf(pid: number): readonly number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
  return text.split(" ").filter(Boolean).map(Number);
}

function findBundle(
  parent: string,
  hostname: string,
): { directory: string; configuration: Configuration } {
  for (const name of readdirSync(parent)) {
    const directory = join(parent, name);
    if (!readdirSync(directory).includes("config.json")) continue;
    const text = readFileSync(join(directory, "config.json"), "utf8");
    const configuration = JSON.parse(text) as Configuration;
    if (configuration.hostname === hostname) return { directory, configuration };
  }
  throw new CattlegridError("INTERNAL", `there is no bundle of ${hostname} below ${parent}`);
}
