import { once } from "node:events";
import { chownSync } from "node:fs";
import { assert } from "../../../../errors/error.ts";
import { spawnProcess } from "../../../../platform/process.ts";
import { AGENT_ID } from "../../../guest/environment.ts";
import type { Keeper } from "../keeper.ts";
import type { IdMap } from "../keeper/message.ts";
import type { Machine } from "../machine.ts";
import { workspaceIdMap } from "../../../mounts/owner-map.ts";
import type { LaunchedKeeper } from "../resident-keeper.ts";

/**
 * Makes the keeper hold the id map for a workspace of this owner, once per owner, and returns its key. Only
 * a process with a user namespace of its own can give one, so one is started for that moment.
 */
export async function lendIdMap(
  { keeper, idMaps }: LaunchedKeeper,
  machine: Machine,
  owner: { uid: number; gid: number },
): Promise<string> {
  const key = `${owner.uid}:${owner.gid}`;
  const { first } = machine.subordinate;
  const [uidMap, gidMap] = [workspaceIdMap(owner.uid, first), workspaceIdMap(owner.gid, first)];
  const lending = idMaps.get(key) ?? lend(keeper, machine, { key, uidMap, gidMap });
  idMaps.set(key, lending);
  try {
    await lending;
  } catch (error) {
    idMaps.delete(key);
    throw error;
  }
  return key;
}

const SENTRY_KEY = "sentry";

/**
 * The user namespace in which gVisor runs, as a descriptor of the keeper: its root is an id that stands for nobody, its
 * 1000 the agent.
 */
export async function lendSentryNamespace(
  { keeper, idMaps }: LaunchedKeeper,
  machine: Machine,
): Promise<number> {
  const map = sentryIdMap(machine);
  const lending =
    idMaps.get(SENTRY_KEY) ?? lend(keeper, machine, { key: SENTRY_KEY, uidMap: map, gidMap: map });
  idMaps.set(SENTRY_KEY, lending);
  try {
    return await lending;
  } catch (error) {
    idMaps.delete(SENTRY_KEY);
    throw error;
  }
}

/** SECURITY: no id inside stands for the host's root, nor for any but the agent's and subordinate ones. */
function sentryIdMap({ isRoot, subordinate }: Machine): string {
  if (isRoot) return `0 ${subordinate.first} ${subordinate.count}\n`;
  return `0 1 1\n${AGENT_ID} 0 1\n`;
}

/** Who the root of that namespace is, in the keeper's ids. */
export function sentryOwner({ isRoot, subordinate }: Machine): { uid: number; gid: number } {
  const id = isRoot ? subordinate.first : 1;
  return { uid: id, gid: id };
}

async function lend(keeper: Keeper, { tools }: Machine, map: Omit<IdMap, "pid">): Promise<number> {
  const child = spawnProcess(
    [...keeper.enter, tools.unshare, "--user", "--", "/bin/sh", "-c", "echo $$; read line"],
    { cwd: "/", stdio: ["pipe", "pipe", "ignore"], environment: { PATH: "/usr/bin:/bin" } },
  );
  const closed = once(child, "close");
  try {
    assert(child.stdout !== null, "the lender has no output");
    const line = await Promise.race([once(child.stdout, "data"), closed.then(() => [""])]);
    return await keeper.map({ ...map, pid: Number(String(line[0])) });
  } finally {
    child.stdin?.end();
    await closed;
  }
}

const IDS = 65_536;

/**
 * Of a sandbox on a root file system with users of its own, that an ordinary user with subordinate ids runs, in the keeper's
 * numbering, where 0 is the user. SECURITY: the agent is the user, as in every sandbox of an ordinary user; everybody else
 * inside, root too, is one of the subordinate ids, which nobody else has.
 */
export const RANGED_IDS = [
  { containerID: 0, hostID: 1, size: AGENT_ID },
  { containerID: AGENT_ID, hostID: 0, size: 1 },
  { containerID: AGENT_ID + 1, hostID: AGENT_ID + 1, size: IDS - AGENT_ID - 1 },
];

const BASE_KEY = "base";

/**
 * The command prefix that runs a program as the root of a sandbox, in the keeper's namespaces, where `directory` is its own to
 * fill. An ordinary user's keeper has to have subordinate ids.
 */
export async function lendBaseNamespace(
  { keeper, idMaps }: LaunchedKeeper,
  machine: Machine,
  directory: string,
): Promise<readonly string[]> {
  const { first, count } = machine.subordinate;
  const ids = machine.isRoot ? [{ containerID: 0, hostID: first, size: count }] : RANGED_IDS;
  const map = ids.map((each) => `${each.containerID} ${each.hostID} ${each.size}\n`).join("");
  const lending =
    idMaps.get(BASE_KEY) ?? lend(keeper, machine, { key: BASE_KEY, uidMap: map, gidMap: map });
  idMaps.set(BASE_KEY, lending);
  lending.catch(() => idMaps.delete(BASE_KEY));
  const fd = await lending;
  // An ordinary user's own directory is the agent's inside, whose files its root may change.
  if (machine.isRoot) chownSync(directory, first, first);
  const { nsenter } = machine.tools;
  const asRoot = ["--setuid=0", "--setgid=0", `--user=/proc/1/fd/${fd}`, "--"];
  return [...keeper.enter, nsenter, ...asRoot];
}
