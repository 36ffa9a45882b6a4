import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { CattlegridError } from "../src/errors/error.ts";
import { spawnProcess, type ChildProcess } from "../src/platform/process.ts";

/** Ends, and the mount with it, as soon as whoever holds its input is gone. */
const HOLD = 'mount -t overlay -o "$1" overlay "$2" && echo mounted && exec cat';

/**
 * The kernel's overlay alone: laid over a directory as mode `overlay` lays it, in a mount namespace of its own, without a sandbox.
 * What it costs is the machine's, whoever mounts it.
 */
export class BareOverlay implements AsyncDisposable {
  /** Command prefix: what follows sees the overlay where the directory is, and has to change into it by name. */
  readonly enter: readonly string[];
  readonly #holder: ChildProcess;

  private constructor(holder: ChildProcess, isRoot: boolean) {
    this.#holder = holder;
    const own = `/proc/${holder.pid}/ns`;
    const asUser = isRoot ? [] : ["--preserve-credentials", `--user=${own}/user`];
    this.enter = ["nsenter", ...asUser, `--mount=${own}/mnt`, "--"];
  }

  /** `writable` is a directory of the caller's on the disk that is to take what is written. */
  static async open(lower: string, writable: string): Promise<BareOverlay> {
    const [upper, work] = [join(writable, "upper"), join(writable, "work")];
    for (const path of [upper, work]) mkdirSync(path);
    const isRoot = process.getuid?.() === 0;
    const options = `nosuid,nodev,userxattr,lowerdir=${lower},upperdir=${upper},workdir=${work}`;
    const unshare = ["unshare", "--mount", ...(isRoot ? [] : ["--map-root-user"])];
    const argv = [...unshare, "--", "sh", "-c", HOLD, "sh", options, lower];
    const holder = spawnProcess(argv);
    let problem = "";
    holder.stderr?.on("data", (bytes: Buffer) => (problem += bytes.toString()));
    const closed = once(holder, "close");
    const mounted = holder.stdout && once(holder.stdout, "data");
    if ((await Promise.race([mounted, closed.then(() => undefined)])) !== undefined) {
      return new BareOverlay(holder, isRoot);
    }
    const message = `The kernel's overlay cannot be mounted by itself: ${problem.trim()}`;
    throw new CattlegridError("INTERNAL", message);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#holder, "close");
    this.#holder.stdin?.end();
    await closed;
  }
}
