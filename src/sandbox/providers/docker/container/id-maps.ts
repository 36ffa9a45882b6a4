import { once } from "node:events";
import { closeSync, openSync, writeFileSync } from "node:fs";
import { assert } from "../../../../errors/error.ts";
import { spawnProcess } from "../../../../platform/process.ts";
import { workspaceIdMap } from "../../../mounts/owner-map.ts";

/** Docker has no ids of its own: a number inside is the same one outside. */
const FIRST = 0;

/** User namespaces whose id maps show the workspaces of one owner as the agent's, each made when first asked for. */
export class IdMaps {
  readonly #open = new Map<string, Promise<number>>();

  /** A descriptor that stays open until `close`. */
  get({ uid, gid }: { uid: number; gid: number }): Promise<number> {
    const key = `${uid}:${gid}`;
    const made = this.#open.get(key) ?? makeIdMap(uid, gid);
    this.#open.set(key, made);
    made.catch(() => this.#open.delete(key));
    return made;
  }

  async close(): Promise<void> {
    const all = [...this.#open.values()];
    this.#open.clear();
    for (const made of await Promise.allSettled(all)) {
      if (made.status === "fulfilled") closeSync(made.value);
    }
  }
}

/** Only a process with a user namespace of its own can give one, so one is started for that moment. */
async function makeIdMap(uid: number, gid: number): Promise<number> {
  const argv = ["unshare", "--user", "--", "/bin/sh", "-c", "echo $$; read line"];
  const environment = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" };
  const child = spawnProcess(argv, { cwd: "/", stdio: ["pipe", "pipe", "ignore"], environment });
  const closed = Promise.race([once(child, "close"), once(child, "error")]);
  try {
    assert(child.stdout !== null && child.pid !== undefined, "no process to lend an id map");
    await Promise.race([once(child.stdout, "data"), closed]);
    writeFileSync(`/proc/${child.pid}/uid_map`, workspaceIdMap(uid, FIRST));
    writeFileSync(`/proc/${child.pid}/gid_map`, workspaceIdMap(gid, FIRST));
    return openSync(`/proc/${child.pid}/ns/user`, "r");
  } finally {
    child.stdin?.end();
    await closed;
  }
}
