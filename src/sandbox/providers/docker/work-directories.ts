import { lstatSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { CattlegridError } from "../../../errors/error.ts";
import { hasErrno } from "../../../platform/native/libc.ts";
import { openWorkDirectories, WORKSPACE } from "../../storage/directories.ts";
import type { Engine } from "./engine.ts";
import { INSTALLATION_LABEL } from "./installation.ts";

/** SECURITY: a fixed script; the directories are its arguments. */
const SCRIPT = 'for path; do chmod 700 -- "$path/work" && rm -rf -- "$path/work" || exit 1; done';

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
  { engine, image, installation }: WorkContext,
  sandboxDirectory: string,
): Promise<void> {
  if (process.getuid?.() === 0) return openWorkDirectories(sandboxDirectory);
  const left = ["home", WORKSPACE]
    .map((tree) => join(sandboxDirectory, tree, "work"))
    .filter((path) => !isEmptied(join(path, "work")));
  if (left.length === 0) return;
  const id = await engine.createContainer(undefined, {
    Image: image,
    User: "0:0",
    Entrypoint: ["/bin/sh", "-c", SCRIPT, "sh"],
    Cmd: left,
    Labels: { [INSTALLATION_LABEL]: installation },
    Healthcheck: { Test: ["NONE"] },
    HostConfig: {
      NetworkMode: "none",
      CapDrop: ["ALL"],
      CapAdd: ["DAC_OVERRIDE", "FOWNER"],
      SecurityOpt: ["no-new-privileges"],
      ReadonlyRootfs: true,
      LogConfig: { Type: "none" },
      Mounts: left.map((path) => ({ Type: "bind", Source: path, Target: path })),
    },
  });
  try {
    await engine.startContainer(id);
    const code = await engine.waitForEnd(id, new AbortController().signal);
    if (code === 0) return;
    const message = `What the kernel left in ${sandboxDirectory} could not be removed.`;
    throw new CattlegridError("PROVIDER_FAILED", message);
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
