import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { asCattlegridError, assert } from "../../../../errors/error.ts";
import { ignoreChildEndings } from "../../../../platform/native/child-signal.ts";
import { sendDescriptors } from "../../../../platform/native/descriptor-message.ts";
import { bindTree, mountMemory } from "../../../../platform/native/mount.ts";
import { openNftables } from "../../../../platform/native/nftables.ts";
import {
  openProcessHandle,
  type ProcessHandle,
} from "../../../../platform/native/process-handle.ts";
import { connectInside } from "../../../capture/connection.ts";
import { openNetworkNamespace, type NetworkNamespace } from "../../../capture/network.ts";
import { protectInside, type UnprotectedPath } from "../../../mounts/protection.ts";
import { renameHost } from "../../../mounts/visit.ts";
import { layLateTree } from "./late-tree.ts";
import { Stage } from "./stage.ts";
import { detachTrees, openRootTree, removeRootTree } from "./root-tree.ts";
import {
  MEMORY,
  RUNTIME,
  VOID,
  SOCKETS_FD,
  type IdMap,
  type KeeperReply,
  type KeeperRequest,
  type KeeperSetup,
  type SandboxPlan,
  type StagePlan,
} from "./message.ts";

/** How often the end of a killed sandbox is looked for: there is no event for it without a thread. */
const GONE_POLL_MS = 1;
const CONTROLLERS =
  "blkio cpu cpuacct cpuset devices freezer hugetlb memory misc net_cls net_prio perf_event pids rdma systemd";
/** How soon sockets are offered again to an engine that has not taken the earlier ones yet. */
const HAND_OVER_PAUSE_MS = 1;

interface KeptSandbox {
  plan: SandboxPlan;
  stage?: Stage;
  network: NetworkNamespace;
  init?: ProcessHandle;
}

/**
 * The keeper: init of a process namespace and root of a user namespace, in which every sandbox of one
 * engine lives. It makes what must be made there and holds it. Whatever ends it ends all sandboxes.
 */
class Keeper {
  readonly #nftables = openNftables();
  readonly #homeNetworkFd = openSync("/proc/self/ns/net", "r");
  readonly #homeMountFd = openSync("/proc/self/ns/mnt", "r");
  readonly #homeHostNameFd = openSync("/proc/self/ns/uts", "r");
  readonly #sandboxes = new Map<number, KeptSandbox>();
  readonly #idMaps = new Map<string, number>();
  #owner: KeeperSetup["owner"] = { uid: 0, gid: 0 };

  async answer(message: KeeperRequest): Promise<void> {
    try {
      await this.#perform(message);
    } catch (error) {
      const { code, message: text, hint, details } = asCattlegridError(error);
      const errno = details["errno"];
      reply({
        kind: "failed",
        request: message.request,
        code,
        message: text,
        hint,
        ...(typeof errno === "string" ? { errno } : {}),
      });
    }
  }

  async #perform(message: KeeperRequest): Promise<void> {
    if (message.kind === "open") return this.#open(message.request, message.plan);
    if (message.kind === "protect") return this.#protect(message);
    if (message.kind === "lay") return this.#lay(message);
    if (message.kind === "setup") this.#setUp(message.setup);
    if (message.kind === "stage") this.#stage(message.sandbox, message.stage);
    if (message.kind === "map") return this.#map(message.request, message.map);
    if (message.kind === "connect") await this.#connect(message);
    if (message.kind === "adopt") this.#adopt(message.sandbox, message.pid);
    if (message.kind === "close") await this.#close(message.sandbox);
    reply({ kind: "done", request: message.request });
  }

  /**
   * The memory hides the host's /sys, where the runtime would otherwise find cgroups that it refuses, and
   * nothing that the sandbox could be given lies there.
   */
  #setUp(setup: KeeperSetup): void {
    this.#owner = setup.owner;
    mountMemory(MEMORY, "mode=755");
    layCgroups();
    for (const { name, source } of setup.directories) {
      mkdirSync(`${MEMORY}/${name}`);
      bindTree(source, `${MEMORY}/${name}`, { noDevices: true });
    }
    writeFileSync(VOID, "", { mode: 0 });
    mkdirSync(RUNTIME);
    bindTree(dirname(setup.runtime), RUNTIME, { readonly: true });
  }

  /** Only a process that has its own user namespace can give one; the caller ends that process. */
  #map(request: number, { key, pid, uidMap, gidMap }: IdMap): void {
    writeFileSync(`/proc/${pid}/uid_map`, uidMap);
    writeFileSync(`/proc/${pid}/gid_map`, gidMap);
    const earlier = this.#idMaps.get(key);
    const fd = openSync(`/proc/${pid}/ns/user`, "r");
    this.#idMaps.set(key, fd);
    if (earlier !== undefined) closeSync(earlier);
    reply({ kind: "mapped", request, fd });
  }

  async #open(request: number, plan: SandboxPlan): Promise<void> {
    const network = openNetworkNamespace(this.#nftables, this.#homeNetworkFd);
    this.#sandboxes.set(plan.sandbox, { plan, network });
    try {
      const root = openRootTree(plan, this.#owner, this.#idMaps);
      await handOver(request, network);
      reply({ kind: "opened", request, networkFd: network.fd, ...root });
    } catch (error) {
      this.#forget(plan.sandbox);
      throw error;
    }
  }

  #stage(sandbox: number, plan: StagePlan): void {
    const kept = this.#sandboxes.get(sandbox);
    assert(kept !== undefined, `no sandbox ${sandbox}`);
    kept.stage = new Stage(sandbox);
    kept.stage.set(plan);
  }

  #adopt(sandbox: number, pid: number): void {
    const kept = this.#sandboxes.get(sandbox);
    assert(kept !== undefined, `no sandbox ${sandbox}`);
    const init = openProcessHandle(pid);
    if (init !== undefined) kept.init = init;
    detachTrees(kept.plan);
  }

  #protect({ request, sandbox, directory, paths }: KeeperRequest & { kind: "protect" }): void {
    const init = this.#sandboxes.get(sandbox)?.init;
    const unprotected =
      init === undefined ? [] : protectInside(init.fd, this.#homeMountFd, { directory, paths });
    reply({ kind: "protected", request, unprotected });
  }

  #lay({ request, sandbox, late }: KeeperRequest & { kind: "lay" }): void {
    const kept = this.#sandboxes.get(sandbox);
    assert(kept?.init !== undefined, `no sandbox ${sandbox} runs`);
    const initFd = kept.init.fd;
    renameHost(initFd, this.#homeHostNameFd, late.hostname);
    let unprotected: readonly UnprotectedPath[] = [];
    if (late.workspace !== undefined) {
      const context = {
        owner: this.#owner,
        idMaps: this.#idMaps,
        initFd,
        homeFd: this.#homeMountFd,
      };
      const laid = layLateTree(kept.plan, late.workspace, context);
      kept.plan = laid.plan;
      unprotected = laid.unprotected;
    }
    reply({ kind: "protected", request, unprotected });
  }

  async #connect({ request, sandbox, port }: KeeperRequest & { kind: "connect" }): Promise<void> {
    const kept = this.#sandboxes.get(sandbox);
    assert(kept !== undefined, `no sandbox ${sandbox}`);
    const fd = await connectInside(port, {
      networkFd: kept.network.fd,
      homeFd: this.#homeNetworkFd,
    });
    await sendSockets(request, [fd]);
  }

  async #close(sandbox: number): Promise<void> {
    const init = this.#sandboxes.get(sandbox)?.init;
    init?.kill();
    while (init !== undefined && !init.isGone()) await delay(GONE_POLL_MS);
    this.#forget(sandbox);
  }

  #forget(sandbox: number): void {
    const kept = this.#sandboxes.get(sandbox);
    if (kept === undefined) return;
    this.#sandboxes.delete(sandbox);
    kept.init?.close();
    closeSync(kept.network.fd);
    kept.stage?.clear();
    removeRootTree(kept.plan);
  }
}

/** Empty and read-only: runc wants a directory for each controller, and takes it that it may make none below. */
function layCgroups(): void {
  const directory = `${MEMORY}/fs/cgroup`;
  mkdirSync(directory, { recursive: true });
  mountMemory(directory, "mode=755");
  for (const controller of CONTROLLERS.split(" ")) mkdirSync(`${directory}/${controller}`);
  bindTree(directory, directory, { readonly: true });
}

function reply(message: KeeperReply): void {
  process.send?.(message);
}

/** The engine's are copies: those of the keeper must not keep the port taken when the engine lets go. */
async function handOver(request: number, network: NetworkNamespace): Promise<void> {
  const { tcpFd, udp4Fd, udp6Fd } = network;
  await sendSockets(request, [tcpFd, udp4Fd, ...(udp6Fd === undefined ? [] : [udp6Fd])]);
}

async function sendSockets(request: number, fds: readonly number[]): Promise<void> {
  try {
    const message = { bytes: Buffer.from(String(request)), fds };
    while (!sendDescriptors(SOCKETS_FD, message)) await delay(HAND_OVER_PAUSE_MS);
  } finally {
    for (const fd of fds) closeSync(fd);
  }
}

// SECURITY: killing this process must kill everything inside, which only the init of a process namespace does.
assert(readFileSync("/proc/self/stat", "utf8").startsWith("1 "), "the keeper is not process 1");
assert(process.send !== undefined, "the keeper has no engine");
ignoreChildEndings();
const keeper = new Keeper();
// The leash: the channel closes when the engine dies in whatever way, and with this process all sandboxes.
process.once("disconnect", () => process.exit(0));
process.on("message", (message: KeeperRequest) => void keeper.answer(message));
