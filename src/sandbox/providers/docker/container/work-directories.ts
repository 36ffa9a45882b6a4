import { lstatSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { CattlegridError } from "../../../../errors/error.ts";
import { hasErrno } from "../../../../platform/native/libc.ts";
import { openWorkDirectories, WORKSPACE } from "../../../storage/directories.ts";
import type { Engine } from "../engine/engine.ts";
import type { GuestAccount } from "./guest-account.ts";
import { INSTALLATION_LABEL } from "../installation.ts";

/** SECURITY: fixed scripts; the directories are their arguments. */
const GIVE = 'whose=$1; shift; exec chown -hR -- "$whose" "$@"';
const CLEAR = 'for path; do chmod 700 -- "$path/work" && rm -rf -- "$path/work" || exit 1; done';

export interface WorkContext {
  engine: Engine;
  image: string;
  installation: string;
}

/**
 * Makes removable what the kernel leaves beside what a stopped sandbox wrote. It belongs to whoever mounted, which is the
 * engine: where that is another user than this one, a container without a network removes it, and nothing else.
 */
export async function clearWorkDirectories(
  context: WorkContext,
  sandboxDirectory: string,
): Promise<void> {
  if (process.getuid?.() === 0) return openWorkDirectories(sandboxDirectory);
  const left = ["home", WORKSPACE]
    .map((tree) => join(sandboxDirectory, tree, "work"))
    .filter((path) => !isEmptied(join(path, "work")));
  if (left.length === 0) return;
  await runBeside(context, { script: CLEAR, paths: left, capabilities: ["FOWNER"] }, () => {
    const message = `What the kernel left in ${sandboxDirectory} could not be removed.`;
    return new CattlegridError("PROVIDER_FAILED", message);
  });
}

/**
 * Makes all of a stopped sandbox's home the agent's, as a step of setup that was root may have left files of root's there.
 * SECURITY: a change of owner takes set-user-id bits away, so that no program of root's is left in the user's directory.
 */
export async function giveHome(
  context: WorkContext,
  sandboxDirectory: string,
  { uid, gid }: GuestAccount,
): Promise<void> {
  const paths = [join(sandboxDirectory, "home/upper")];
  const wish = { script: GIVE, words: [`${uid}:${gid}`], paths, capabilities: ["CHOWN"] };
  await runBeside(context, wish, () => {
    const message = `What root left in ${sandboxDirectory} could not be given to the agent.`;
    return new CattlegridError("PROVIDER_FAILED", message);
  });
}

interface BesideWish {
  script: string;
  words?: readonly string[];
  /** Directories of this machine, which are all that it sees of it; the last arguments. */
  paths: readonly string[];
  capabilities: readonly string[];
}

/** Runs a script as root in a container without a network. */
async function runBeside(
  { engine, image, installation }: WorkContext,
  { script, words = [], paths, capabilities }: BesideWish,
  explain: () => CattlegridError,
): Promise<void> {
  const id = await engine.createContainer(undefined, {
    Image: image,
    User: "0:0",
    Entrypoint: ["/bin/sh", "-c", script, "sh"],
    Cmd: [...words, ...paths],
    Labels: { [INSTALLATION_LABEL]: installation },
    Healthcheck: { Test: ["NONE"] },
    HostConfig: {
      NetworkMode: "none",
      CapDrop: ["ALL"],
      CapAdd: ["DAC_OVERRIDE", ...capabilities],
      SecurityOpt: ["no-new-privileges"],
      ReadonlyRootfs: true,
      LogConfig: { Type: "none" },
      Mounts: paths.map((path) => ({ Type: "bind", Source: path, Target: path })),
    },
  });
  try {
    await engine.startContainer(id);
    const code = await engine.waitForEnd(id, new AbortController().signal);
    if (code !== 0) throw explain();
  } finally {
    await engine.removeContainer(id);
  }
}

function isEmptied(path: string): boolean {
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return true;
  try {
    rmdirSync(path);
    return true;
  } catch (error) {
    if (hasErrno(error, "ENOTEMPTY", "EEXIST")) return false;
    throw error;
  }
}
