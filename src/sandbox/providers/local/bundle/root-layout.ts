import { dirname } from "node:path";
import type { SandboxSpecification } from "../../../provider.ts";
import { HOME } from "../../../guest/environment.ts";
import type { TreePlan } from "../keeper/message.ts";

/** A top-level name of the host that belongs to /usr: a link into it, or a directory of its own. */
export interface SystemName {
  name: string;
  /** Target of the link; absent for a directory. */
  link?: string;
}

/** Mount points and links of a sandbox's root file system, which is itself read-only. */
export interface RootLayout {
  directories: readonly string[];
  links: readonly { name: string; target: string }[];
  trees: readonly TreePlan[];
  /** Where inside each tree goes, shorter paths first. */
  targets: readonly RootTarget[];
}

export interface RootTarget {
  tree: string;
  path: string;
  readonly: boolean;
  /** Laid under what the sandbox writes, instead of being bound there itself. */
  isOverlaid: boolean;
}

export interface LayoutSources {
  specification: SandboxSpecification;
  systemNames: readonly SystemName[];
  /** Real directories of the toolchains, in the order of the specification. */
  toolchainSources: readonly string[];
  /** As root: the id map that shows the workspace's files as the agent's. */
  workspaceIdMap?: string;
  /** As root: the id map that shows a base directory's files as what they are inside. */
  baseIdMap?: string;
}

/** Name of the tree that a directory of the host is as a base. */
export const BASE_TREE = "base";
/** What a root file system may lack that the runtime mounts on. */
const BASE_POINTS = ["dev", "etc", "proc", "run", "sys", "tmp"];

const BASE_DIRECTORIES = [
  "dev",
  "etc",
  "home",
  "proc",
  "root",
  "run",
  "srv",
  "sys",
  "tmp",
  "usr",
  "var",
];
/** Mounted with a file system of their own in memory. */
export const MEMORY = ["/tmp", "/run", "/dev/shm"];
/** Mounted so that what is written lies over what was there. */
export const OVERLAID = [HOME, "/usr"];
/** In these the runtime makes mount points itself. */
const WRITABLE = [...MEMORY, ...OVERLAID];
const VAR_TMP = "var/tmp";

export function rootLayout(sources: LayoutSources): RootLayout {
  const trees = [...workspaceTrees(sources), ...toolchainTrees(sources), ...systemTrees(sources)];
  const targets = trees
    .map(({ plan, path, isOverlaid = false }) => {
      return { tree: plan.name, path, readonly: plan.readonly, isOverlaid };
    })
    .toSorted((left, right) => left.path.length - right.path.length);
  const points = [HOME, ...targets.map(({ path }) => path)].filter(
    (path) => path === HOME || !WRITABLE.some((parent) => path.startsWith(`${parent}/`)),
  );
  if (sources.specification.base !== undefined) return baseLayout(sources, trees, targets);
  const directories = withParents([...BASE_DIRECTORIES, ...points.map((path) => path.slice(1))]);
  const links = sources.systemNames.flatMap(({ name, link }) =>
    link === undefined ? [] : [{ name, target: link }],
  );
  if (!directories.includes(VAR_TMP)) links.push({ name: VAR_TMP, target: "../tmp" });
  return { directories, links, trees: trees.map(({ plan }) => plan), targets };
}

/** The mount points alone: everything else is the base's. */
function baseLayout(
  { specification, baseIdMap }: LayoutSources,
  trees: readonly PlacedTree[],
  targets: readonly RootTarget[],
): RootLayout {
  const { directory } = specification.base ?? {};
  const source = { name: BASE_TREE, readonly: true, protectedPaths: [] };
  const idMap = baseIdMap === undefined ? {} : { idMap: baseIdMap };
  const base = directory === undefined ? [] : [{ ...source, source: directory, ...idMap }];
  const points = [HOME, ...targets.map(({ path }) => path)].map((path) => path.slice(1));
  return {
    directories: withParents([...BASE_POINTS, ...points]),
    links: [],
    trees: [...trees.map(({ plan }) => plan), ...base],
    targets,
  };
}

interface PlacedTree {
  plan: TreePlan;
  path: string;
  isOverlaid?: boolean;
}

function workspaceTrees({ specification, workspaceIdMap }: LayoutSources): readonly PlacedTree[] {
  const { workspace, protectedPaths } = specification;
  if (workspace === undefined) return [];
  const isOverlaid = workspace.mode === "overlay";
  const readonly = isOverlaid || workspace.mode === "readonly";
  const prefix = workspace.path.endsWith("/") ? workspace.path : `${workspace.path}/`;
  const below = protectedPaths.filter((path) => path.startsWith(prefix));
  const plan = {
    source: workspace.source ?? workspace.path,
    name: "w",
    readonly,
    protectedPaths: readonly ? [] : below.map((path) => path.slice(prefix.length)),
    ...(specification.maskedPaths === undefined ? {} : { maskedPaths: specification.maskedPaths }),
    ...(workspaceIdMap === undefined ? {} : { idMap: workspaceIdMap }),
  };
  return [{ plan, path: workspace.path, isOverlaid }];
}

function toolchainTrees(sources: LayoutSources): readonly PlacedTree[] {
  const { specification, toolchainSources } = sources;
  return toolchainSources.map((source, index) => {
    const plan = { source, name: `t${index}`, readonly: true, protectedPaths: [] };
    return { plan, path: specification.toolchains[index] ?? source };
  });
}

function systemTrees({ systemNames, specification }: LayoutSources): readonly PlacedTree[] {
  if (specification.base !== undefined) return [];
  const directories = systemNames.filter(({ link }) => link === undefined);
  return directories.map(({ name }) => {
    const plan = { source: `/${name}`, name: `u-${name}`, readonly: true, protectedPaths: [] };
    return { plan, path: `/${name}` };
  });
}

/** Every directory after its parents, once. */
function withParents(directories: readonly string[]): readonly string[] {
  return [...new Set(directories.flatMap(chain))];
}

function chain(directory: string): readonly string[] {
  const parent = dirname(directory);
  return parent === "." ? [directory] : [...chain(parent), directory];
}
