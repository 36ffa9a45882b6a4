import { once } from "node:events";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { CattlegridError } from "../../src/errors/error.ts";
import { runProcess, spawnProcess, type ChildProcess } from "../../src/platform/process.ts";
import { childrenOf } from "../bare-runtime.ts";
import type { Environment } from "./peer.ts";

const START_TIMEOUT_MS = 60_000;
/** What dockerd writes outside the directories it is given goes to a tmpfs that ends with its mount namespace. */
const HIDE_WRITES = `set -e
mount -t tmpfs tmpfs /run
for d in etc opt; do
  mkdir -p /run/over/$d/upper /run/over/$d/work
  mount -t overlay -o lowerdir=/$d,upperdir=/run/over/$d/upper,workdir=/run/over/$d/work overlay /$d
done
exec dockerd "$@"`;
/** Everything that an engine starts ends with it, which is init in there, and it ends with the bench. */
const NAMESPACES = "unshare --mount --propagation slave --pid --fork --kill-child --mount-proc --";
const ENCLOSE = `setpriv --pdeathsig KILL -- ${NAMESPACES} sh -c`.split(" ");

/** A shell text as the init of an engine's own process and mount namespaces, with its arguments. */
export function enclose(script: string, argv: readonly string[]): readonly string[] {
  return [...ENCLOSE, script, "sh", ...argv];
}

/** Resolves when all the processes of an enclosed engine are gone. */
export async function endEnclosed(child: ChildProcess): Promise<void> {
  const { pid, exitCode, signalCode } = child;
  if (pid === undefined || exitCode !== null || signalCode !== null) return;
  const exited = once(child, "exit");
  // An init's end is reported when all the processes of its namespace are gone, containers included.
  const [init = pid] = childrenOf(pid);
  process.kill(init, "SIGKILL");
  await exited;
}

/** Why no dockerd may be started here; undefined where one may. */
export function whyNoDocker(): string | undefined {
  if (process.getuid?.() !== 0) return "dockerd needs root";
  return existsSync("/sys/class/net/docker0")
    ? "somebody's docker0 stands on this machine, which a second dockerd could take away"
    : undefined;
}

/** Fails, saying why, where the bench may not start a dockerd. */
export function refuseDocker(): void {
  const why = whyNoDocker();
  if (why !== undefined) throw new CattlegridError("INTERNAL", why);
}

/** A dockerd of the bench's own, of which nothing is left after it was closed. */
export class DockerDaemon implements AsyncDisposable {
  readonly socketPath: string;
  readonly #child: ChildProcess;
  readonly #cgroup: string;
  #log = "";

  private constructor(environment: Environment, directory: string, configured: object) {
    this.socketPath = join(directory, "s");
    this.#cgroup = `cattlegrid-${process.pid}-${basename(directory)}`;
    const configuration = join(directory, "daemon.json");
    mkdirSync(directory, { recursive: true });
    writeFileSync(configuration, JSON.stringify(configured));
    // Whoever was killed has left them. The next one would refuse to start, or wait for a containerd: in its own process
    // namespace some thread has that number.
    for (const left of ["pid", "exec/containerd/containerd.pid"]) {
      rmSync(join(directory, left), { force: true });
    }
    const argv = enclose(HIDE_WRITES, [
      `--config-file=${configuration}`,
      `--data-root=${join(directory, "data")}`,
      `--exec-root=${join(directory, "exec")}`,
      `--pidfile=${join(directory, "pid")}`,
      `--host=unix://${this.socketPath}`,
      `--cgroup-parent=/${this.#cgroup}`,
      "--exec-opt=native.cgroupdriver=cgroupfs",
      // This machine's firewall, routing and bridges are left alone.
      "--iptables=false",
      "--ip6tables=false",
      "--ip-forward=false",
      "--ip-masq=false",
      "--bridge=none",
    ]);
    const stdio = ["ignore", "ignore", "pipe"] as const;
    this.#child = spawnProcess(argv, { cwd: "/", environment, detached: true, stdio: [...stdio] });
  }

  /**
   * Resolves when it listens. What it keeps is in `directory`, for the next one there; `configured` is its configuration.
   * Default: none.
   */
  static async open(
    environment: Environment,
    directory: string,
    configured: object = {},
  ): Promise<DockerDaemon> {
    const daemon = new DockerDaemon(environment, directory, configured);
    try {
      await daemon.#listening();
      return daemon;
    } catch (error) {
      await daemon[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #listening(): Promise<void> {
    const listening = Promise.withResolvers<void>();
    const fail = (why: string): void => {
      const lastLine = this.#log.trim().split("\n").at(-1);
      listening.reject(new CattlegridError("INTERNAL", `dockerd ${why}: ${lastLine}`));
    };
    const timer = setTimeout(() => fail("did not listen in time"), START_TIMEOUT_MS);
    this.#child.once("error", listening.reject);
    this.#child.once("exit", () => fail("ended"));
    this.#child.stderr?.on("data", (bytes: Buffer) => {
      this.#log = (this.#log + bytes.toString()).slice(-10_000);
      if (this.#log.includes("API listen on")) listening.resolve();
    });
    try {
      await listening.promise;
    } finally {
      clearTimeout(timer);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await endEnclosed(this.#child);
    const own = ["-depth", "-type", "d", "-path", `*/${this.#cgroup}*`, "-delete"];
    await runProcess(["find", "/sys/fs/cgroup", ...own]);
  }
}
