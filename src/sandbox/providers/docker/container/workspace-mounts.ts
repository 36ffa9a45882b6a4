import { constants, lstatSync, mkdirSync, openSync, rmdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { CattlegridError } from "../../../../errors/error.ts";
import { using } from "../../../../platform/native/descriptor.ts";
import { hasErrno } from "../../../../platform/native/libc.ts";
import { attachTree, detachMount, setAttributes } from "../../../../platform/native/mount.ts";
import { maskPaths, protectPaths, type UnprotectedPath } from "../../../mounts/protection.ts";
import { cloneSource, setIdMap } from "../../../mounts/source.ts";
import type { SandboxSpecification } from "../../../provider.ts";

/** A directory or file of the host at a path inside. */
export interface WorkspaceMount {
  source: string;
  target: string;
  isReadonly: boolean;
}

/** A workspace, ready for the engine to mount. */
export interface PreparedWorkspace {
  /** Where it lies for the engine; also the lower part of an overlay. */
  source: string;
  mounts: readonly WorkspaceMount[];
  unprotected: readonly UnprotectedPath[];
  /** Called once the container has it. Idempotent. */
  release(): void;
}

type Workspace = NonNullable<SandboxSpecification["workspace"]>;

/** What of a workspace no program inside may change. */
interface Keeping {
  protectedPaths: readonly string[];
  maskedPaths: readonly string[];
  isReadonly: boolean;
}

function keepingOf(
  { protectedPaths, maskedPaths = [] }: SandboxSpecification,
  { path, mode }: Workspace,
): Keeping {
  const isReadonly = mode === "readonly" || mode === "overlay";
  const prefix = path.endsWith("/") ? path : `${path}/`;
  const below = protectedPaths.filter((each) => each.startsWith(prefix));
  return {
    protectedPaths: isReadonly ? [] : below.map((each) => each.slice(prefix.length)),
    maskedPaths,
    isReadonly,
  };
}

export interface StagingOptions {
  /** Where the tree is mounted on the host until the container has it. */
  directory: string;
  /** An empty file, to lie over what must not be reached. */
  voidFile: string;
  /** A user namespace whose id map the mount takes on. */
  idMapFd: number;
}

/**
 * As root: mounts the workspace on the host for as long as the engine needs to take it, with its files as the agent's,
 * and what is protected already read-only in it.
 * SECURITY: the source is opened without following a link, and what was opened is what is mounted, whatever an agent that
 * owns a directory on the way does meanwhile.
 */
export function stageWorkspace(
  specification: SandboxSpecification,
  workspace: Workspace,
  { directory, voidFile, idMapFd }: StagingOptions,
): PreparedWorkspace {
  const source = workspace.source ?? workspace.path;
  const keeping = keepingOf(specification, workspace);
  mkdirSync(directory, { recursive: true, mode: 0o755 });
  let isMounted = false;
  const release = (): void => {
    if (isMounted) detachMount(directory);
    isMounted = false;
    removeEmpty(directory);
  };
  try {
    using(openSource(source), (treeFd) => {
      setAttributes(treeFd, { noSetuid: true, noDevices: true, readonly: keeping.isReadonly });
      setIdMap(treeFd, idMapFd, source);
      attachTree(treeFd, directory);
      isMounted = true;
    });
    const unprotected = using(
      openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY),
      (fd) => {
        maskPaths(fd, keeping.maskedPaths, voidFile);
        return protectPaths(fd, keeping.protectedPaths);
      },
    );
    const mount = { source: directory, target: workspace.path, isReadonly: keeping.isReadonly };
    return { source: directory, mounts: [mount], unprotected, release };
  } catch (error) {
    release();
    throw error;
  }
}

function openSource(source: string): number {
  try {
    return cloneSource(source);
  } catch (error) {
    if (!hasErrno(error, "ENOENT", "ENOTDIR", "EACCES", "ELOOP")) throw error;
    const message = `${source} cannot be laid into the sandbox.`;
    throw new CattlegridError("WORKSPACE_MISSING", message, { cause: error });
  }
}

/**
 * As an ordinary user, who cannot mount: what the engine is to mount, by paths.
 * SECURITY: the engine follows links when it mounts, as root. A path that is a link, or whose way has one, is therefore left
 * out and told of; one that an agent in another sandbox puts there in the moment between is not noticed (docs/threat-model.md).
 */
export function listWorkspace(
  specification: SandboxSpecification,
  workspace: Workspace,
  voidFile: string,
): PreparedWorkspace {
  const source = workspace.source ?? workspace.path;
  if (statSync(source, { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw new CattlegridError("WORKSPACE_MISSING", `${source} is not a directory.`);
  }
  const keeping = keepingOf(specification, workspace);
  const mounts: WorkspaceMount[] = [
    { source, target: workspace.path, isReadonly: keeping.isReadonly },
  ];
  const unprotected: UnprotectedPath[] = [];
  const ways = new Set(keeping.protectedPaths.flatMap(waysTo));
  for (const path of [...ways].toSorted((left, right) => left.length - right.length)) {
    const why = whyNot(source, path);
    if (why !== undefined) unprotected.push({ path, why });
    else {
      const isReadonly = keeping.protectedPaths.includes(path);
      mounts.push({ source: join(source, path), target: join(workspace.path, path), isReadonly });
    }
  }
  for (const path of keeping.maskedPaths.filter((each) => whyNot(source, each) === undefined)) {
    mounts.push({ source: voidFile, target: join(workspace.path, path), isReadonly: true });
  }
  return { source, mounts, unprotected, release: () => undefined };
}

/** The path and each directory on the way to it. */
function waysTo(path: string): readonly string[] {
  const parent = dirname(path);
  return parent === "." ? [path] : [...waysTo(parent), path];
}

function whyNot(directory: string, path: string): UnprotectedPath["why"] | undefined {
  for (const way of waysTo(path)) {
    const found = lstatSync(join(directory, way), { throwIfNoEntry: false });
    if (found === undefined) return "absent";
    if (found.isSymbolicLink()) return "link";
  }
  return undefined;
}

/** Detaches and removes what an engine that was killed has left. SECURITY: empty directories only. */
export function clearStaged(directory: string): void {
  for (;;) {
    try {
      detachMount(directory);
    } catch (error) {
      if (!hasErrno(error, "EINVAL", "ENOENT")) throw error;
      break;
    }
  }
  removeEmpty(directory);
}

function removeEmpty(directory: string): void {
  try {
    rmdirSync(directory);
  } catch (error) {
    if (!hasErrno(error, "ENOENT")) throw error;
  }
}
