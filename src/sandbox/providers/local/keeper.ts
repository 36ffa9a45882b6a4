import { closeSync } from "node:fs";
import type { Socket } from "node:net";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import { ERROR_CODES, type ErrorCode } from "../../../errors/codes.ts";
import { assert, CattlegridError } from "../../../errors/error.ts";
import { spawnProcess, type ChildProcess } from "../../../platform/process.ts";
import type { CaptureSockets } from "../../capture/capture-sockets.ts";
import type { UnprotectedPath } from "../../mounts/protection.ts";
import { CaptureChannel } from "./capture-channel.ts";
import type {
  IdMap,
  KeeperReply,
  KeeperRequest,
  KeeperSetup,
  LatePlan,
  SandboxPlan,
  StagePlan,
  TreeMount,
} from "./keeper/message.ts";
import type { Machine } from "./machine.ts";

const LAUNCH_ERRORS_LENGTH_MAX = 4096;
const EXIT_TIMEOUT_MS = 5000;
/** Enough for the keeper's small objects; the default would let its heap grow for nothing. */
const NODE_FLAGS = ["--max-old-space-size=32", "--max-semi-space-size=1", "--v8-pool-size=0"];

export interface OpenedSandbox {
  /** Number of the network namespace's descriptor in the keeper. */
  networkFd: number;
  sockets: CaptureSockets;
  mounts: readonly TreeMount[];
  unprotected: readonly UnprotectedPath[];
}

export interface LaunchOptions {
  /** Directory of compiled code. */
  cache: string;
  /** For an ordinary user: also the user's subordinate ids, which newuidmap gives. */
  withRange: boolean;
}

interface Pending {
  resolve(reply: KeeperReply): void;
  reject(error: CattlegridError): void;
}

type Question = KeeperRequest extends infer R
  ? R extends KeeperRequest
    ? Omit<R, "request">
    : never
  : never;

/** The engine's side of the resident keeper process. */
export class Keeper {
  /** Resolves once, when the keeper and so everything inside its namespaces is dead. */
  readonly ended: Promise<string>;
  readonly #machine: Machine;
  readonly #child: ChildProcess;
  readonly #sockets: CaptureChannel;
  readonly #pending = new Map<number, Pending>();
  #requests = 0;
  #sandboxes = 0;
  #errors = "";
  /** Nobody reads its channel any more, which the channel itself tells later. */
  #isLost = false;

  private constructor(machine: Machine, child: ChildProcess, sockets: CaptureChannel) {
    this.#machine = machine;
    this.#child = child;
    this.#sockets = sockets;
    child.stderr?.on("data", (bytes: Buffer) => {
      this.#errors = (this.#errors + bytes.toString()).slice(-LAUNCH_ERRORS_LENGTH_MAX);
    });
    child.on("message", (message) => this.#receive(message as KeeperReply));
    this.ended = new Promise((resolve) => {
      const end = (why: string): void => {
        this.#failAll(why);
        sockets.close();
        resolve(why);
      };
      child.once("error", (error) => end(error.message));
      child.once("exit", () => end(this.#errors.trim() || "the keeper process ended"));
    });
  }

  /** Starts the keeper; fails with ISOLATION_UNAVAILABLE where the machine does not let it. */
  static async launch(
    machine: Machine,
    setup: KeeperSetup,
    options: LaunchOptions,
  ): Promise<Keeper> {
    const sockets = new CaptureChannel();
    const child = spawnProcess(launchCommand(machine, options), {
      cwd: "/",
      // Its own session: a terminal's signals must not end the sandboxes of a daemon in the foreground.
      detached: true,
      environment: {
        PATH: "/usr/bin:/bin",
        NODE_COMPILE_CACHE: options.cache,
        UV_THREADPOOL_SIZE: "1",
      },
      // SECURITY: no descriptor of ours goes in but the two channels and a pipe for errors.
      stdio: ["ignore", "ignore", "pipe", "ipc", sockets.keeperFd],
    });
    closeSync(sockets.keeperFd);
    const keeper = new Keeper(machine, child, sockets);
    try {
      await keeper.#ask({ kind: "setup", setup });
    } catch (error) {
      await keeper.kill();
      throw machine.explainRefusal(error, keeper.#errors);
    }
    return keeper;
  }

  get pid(): number {
    assert(this.#child.pid !== undefined, "the keeper was not started");
    return this.#child.pid;
  }

  /** Its channel closes with it; what holds it ends later, when every process inside has. */
  get isAlive(): boolean {
    const { connected, exitCode, signalCode } = this.#child;
    return connected && !this.#isLost && exitCode === null && signalCode === null;
  }

  /** The command prefix that runs a program where the keeper is. */
  get enter(): readonly string[] {
    const own = `/proc/${this.pid}/ns`;
    const namespaces = [`--mount=${own}/mnt`, `--pid=${own}/pid_for_children`];
    if (this.#machine.isRoot) return [this.#machine.tools.nsenter, ...namespaces, "--"];
    return [
      this.#machine.tools.nsenter,
      "--preserve-credentials",
      `--user=${own}/user`,
      ...namespaces,
      "--",
    ];
  }

  nextSandbox(): number {
    this.#sandboxes += 1;
    return this.#sandboxes;
  }

  async open(plan: SandboxPlan): Promise<OpenedSandbox> {
    const reply = await this.#ask({ kind: "open", plan });
    assert(reply.kind === "opened", "the keeper opened nothing");
    const { request, networkFd, mounts, unprotected } = reply;
    return { networkFd, mounts, unprotected, sockets: this.#sockets.take(request) };
  }

  /** Tells the keeper which process is the sandbox's first; from now on closing kills it. */
  async adopt(sandbox: number, pid: number): Promise<void> {
    await this.#ask({ kind: "adopt", sandbox, pid });
  }

  /** Connects to a port of a sandbox's loopback. Throws PORT_CLOSED. */
  async connect(sandbox: number, port: number): Promise<Socket> {
    const { request } = await this.#ask({ kind: "connect", sandbox, port });
    return this.#sockets.takeConnection(request);
  }

  /** Makes what is not covered any more of these paths read-only again, in a running sandbox. */
  async protect(
    sandbox: number,
    directory: string,
    paths: readonly string[],
  ): Promise<readonly UnprotectedPath[]> {
    const reply = await this.#ask({ kind: "protect", sandbox, directory, paths: [...paths] });
    assert(reply.kind === "protected", "the keeper protected nothing");
    return reply.unprotected;
  }

  /** Gives a running sandbox its name and the workspace that it did not have when it started. */
  async lay(sandbox: number, late: LatePlan): Promise<readonly UnprotectedPath[]> {
    const reply = await this.#ask({ kind: "lay", sandbox, late });
    assert(reply.kind === "protected", "the keeper laid nothing");
    return reply.unprotected;
  }

  /** Kills everything in a sandbox and resolves when it is gone, with its network namespace. */
  async close(sandbox: number): Promise<void> {
    if (this.isAlive) await this.#ask({ kind: "close", sandbox });
    else await this.ended;
  }

  /** Returns the number of the user namespace's descriptor in the keeper. */
  async map(map: IdMap): Promise<number> {
    const reply = await this.#ask({ kind: "map", map });
    assert(reply.kind === "mapped", "the keeper mapped nothing");
    return reply.fd;
  }

  /** Mounts what the runtime of an opened sandbox cannot mount by itself. */
  async stage(sandbox: number, stage: StagePlan): Promise<void> {
    await this.#ask({ kind: "stage", sandbox, stage });
  }

  /**
   * Ends the keeper and with it all its sandboxes. Idempotent; resolves when they are dead. It is left to exit by
   * itself, as what holds it then waits for all of that; only the holder's own death would be seen otherwise.
   */
  async kill(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect();
    const patience = setTimeout(() => this.#child.kill("SIGKILL"), EXIT_TIMEOUT_MS);
    await this.ended;
    clearTimeout(patience);
  }

  async #ask(question: Question): Promise<KeeperReply> {
    if (!this.isAlive) throw keeperLost("the keeper process ended");
    this.#requests += 1;
    const request = this.#requests;
    return new Promise<KeeperReply>((resolve, reject) => {
      this.#pending.set(request, { resolve, reject });
      this.#child.send({ ...question, request }, (error) => {
        if (error === null) return;
        this.#isLost = true;
        this.#take(request)?.reject(keeperLost(error.message));
      });
    });
  }

  #receive(message: KeeperReply): void {
    const pending = this.#take(message.request);
    if (message.kind === "failed") pending?.reject(failureOf(message));
    else pending?.resolve(message);
  }

  #take(request: number): Pending | undefined {
    const pending = this.#pending.get(request);
    this.#pending.delete(request);
    return pending;
  }

  #failAll(why: string): void {
    for (const request of this.#pending.keys()) this.#take(request)?.reject(keeperLost(why));
  }
}

function launchCommand(
  { isRoot, tools }: Machine,
  { withRange }: LaunchOptions,
): readonly string[] {
  const main = new URL(`./keeper/main${extname(import.meta.url)}`, import.meta.url);
  return [
    tools.unshare,
    ...(isRoot ? [] : ["--user", "--map-root-user"]),
    ...(isRoot || !withRange ? [] : ["--map-auto"]),
    "--net",
    // Of its own, to which it may come back after it has named a sandbox.
    "--uts",
    "--mount",
    // Mounts made on the host later are seen inside; nothing made inside reaches the host.
    "--propagation=slave",
    "--pid",
    "--fork",
    "--mount-proc",
    "--kill-child=SIGKILL",
    "--",
    process.execPath,
    ...NODE_FLAGS,
    fileURLToPath(main),
  ];
}

function keeperLost(why: string): CattlegridError {
  return new CattlegridError("SANDBOX_START_FAILED", `The keeper is gone: ${why}`);
}

function failureOf(message: KeeperReply & { kind: "failed" }): CattlegridError {
  const code: ErrorCode = Object.hasOwn(ERROR_CODES, message.code)
    ? (message.code as ErrorCode)
    : "INTERNAL";
  const details = message.errno === undefined ? {} : { errno: message.errno };
  return new CattlegridError(code, message.message, { hint: message.hint, details });
}
