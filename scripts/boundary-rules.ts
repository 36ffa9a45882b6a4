import type { Import, Module, ModuleGraph } from "./module-graph.ts";
import { isTest } from "./source-files.ts";

export interface Violation {
  rule: string;
  path: string;
  line: number;
  message: string;
}

interface Edge {
  from: string;
  found: Import;
}

interface Rule {
  name: string;
  /** Returns what is wrong with this import, or undefined when the rule has nothing against it. */
  check(edge: Edge): string | undefined;
}

const LEAVES = ["errors", "protocol", "platform"];
const CONCEPTS = [
  "sandbox",
  "agent",
  "airlock",
  "changes",
  "egress",
  "login",
  "secret",
  "terminal",
  "vault",
  "workspace",
  "store",
  "template",
];

/** Which folders of src each folder of src may import, besides itself. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  protocol: [],
  errors: [],
  platform: ["errors"],
  ...Object.fromEntries(CONCEPTS.map((concept) => [concept, [...LEAVES, ...CONCEPTS]])),
  session: [...LEAVES, ...CONCEPTS],
  server: [...LEAVES, ...CONCEPTS, "session"],
  daemon: [...LEAVES, ...CONCEPTS, "session", "server"],
  client: LEAVES,
  cli: [...LEAVES, "client"],
  sdk: [...LEAVES, "client", "daemon"],
  testing: [...LEAVES, ...CONCEPTS, "session", "server", "daemon", "client", "sdk"],
};

const PLUGIN = /^src\/(sandbox\/providers|agent\/agents)\/([^/]+)\//;

/** Modules that a person or another process starts. */
const ENTRIES = new Set([
  "src/cli/main.ts",
  "src/daemon/main.ts",
  "src/sdk/index.ts",
  "src/testing/index.ts",
]);

function folderOf(path: string): string | undefined {
  return /^src\/([^/]+)\//.exec(path)?.[1];
}

function pluginOf(path: string): string | undefined {
  return PLUGIN.exec(path)?.[0];
}

const RULES: readonly Rule[] = [
  {
    name: "folders-look-down",
    check({ from, found }) {
      const own = folderOf(from);
      const other = found.target === undefined ? undefined : folderOf(found.target);
      if (own === undefined || other === undefined || own === other || pluginOf(from)) return;
      const allowed = MAY_IMPORT[own] ?? [];
      if (allowed.includes(other)) return;
      return `src/${own} may import only ${list(allowed)}`;
    },
  },
  {
    name: "plugins-are-islands",
    check({ from, found }) {
      const plugin = pluginOf(from);
      if (plugin === undefined || !found.target?.startsWith("src/")) return;
      if (found.target.startsWith(plugin)) return;
      const concept = folderOf(from) ?? "";
      const other = folderOf(found.target) ?? "";
      if (pluginOf(found.target) === undefined && [concept, ...LEAVES].includes(other)) return;
      return `a plugin may import its own folder, ${list([concept, ...LEAVES])}, and no other plugin`;
    },
  },
  {
    name: "only-daemon-composes-plugins",
    check({ from, found }) {
      if (pluginOf(from) !== undefined || found.target === undefined) return;
      if (pluginOf(found.target) === undefined || folderOf(from) === "daemon") return;
      if (from.startsWith("bench/")) return;
      return "plugins are handed in as arguments; only src/daemon and the benches import them";
    },
  },
  {
    name: "processes-only-in-platform",
    check({ from, found }) {
      if (!from.startsWith("src/") || folderOf(from) === "platform") return;
      if (!/^(node:)?child_process(\/|$)/.test(found.specifier)) return;
      return "start processes through src/platform";
    },
  },
  {
    name: "product-imports-no-tooling",
    check({ from, found }) {
      if (!from.startsWith("src/") || found.target === undefined) return;
      if (found.target.startsWith("src/") && !isTest(found.target)) return;
      return "product code imports only product code under src";
    },
  },
];

const SIMULATOR_RULE: Rule = {
  name: "simulator-is-apart",
  check({ from, found }) {
    if (!from.startsWith("simulator/") || !found.target?.startsWith("src/")) return;
    return "the simulator stands outside the product and imports nothing of src";
  },
};

/** Applies every rule to every import. `packages` are those that whoever installs us has, or is told to have. */
export function checkBoundaries(graph: ModuleGraph, packages: ReadonlySet<string>): Violation[] {
  const perImport = [...graph.modules.values()].flatMap((module) =>
    module.imports.flatMap((found) => checkImport(graph, { from: module.path, found }, packages)),
  );
  return [...perImport, ...checkFolders(graph), ...findDead(graph), ...checkReading(graph)];
}

function checkImport(
  graph: ModuleGraph,
  edge: Edge,
  packages: ReadonlySet<string>,
): readonly Violation[] {
  const { from, found } = edge;
  const report = (rule: string, why: string): Violation => {
    const message = `imports ${found.target ?? found.specifier}: ${why}`;
    return { rule, path: from, line: found.line, message };
  };
  const rules = isTest(from) ? [SIMULATOR_RULE] : [...RULES, SIMULATOR_RULE];
  const broken = rules.flatMap((rule) => {
    const why = rule.check(edge);
    return why === undefined ? [] : [report(rule.name, why)];
  });
  if (isUnresolved(graph, found)) {
    broken.push(report("imports-resolve", "no such module; write the file's full name with .ts"));
  }
  if (from.startsWith("src/") && !isTest(from) && isUndeclared(found, packages)) {
    broken.push(
      report(
        "packages-are-dependencies",
        "not in `dependencies` or `peerDependencies` of package.json",
      ),
    );
  }
  return broken;
}

function isUnresolved(graph: ModuleGraph, found: Import): boolean {
  if (found.target === undefined || found.target.endsWith(".json")) return false;
  return !graph.modules.has(found.target);
}

function isUndeclared(found: Import, packages: ReadonlySet<string>): boolean {
  const { specifier, target } = found;
  if (target !== undefined || specifier.startsWith("node:")) return false;
  const name = specifier.split("/").slice(0, specifier.startsWith("@") ? 2 : 1);
  return !packages.has(name.join("/"));
}

/** A new folder takes its place in the table before its first file is merged. */
function checkFolders(graph: ModuleGraph): Violation[] {
  const unknown = [...graph.modules.keys()].filter((path) => {
    if (!path.startsWith("src/")) return false;
    const folder = folderOf(path);
    return folder === undefined || MAY_IMPORT[folder] === undefined;
  });
  return unknown.map((path) => ({
    rule: "folders-are-known",
    path,
    line: 1,
    message: "its folder has no line in MAY_IMPORT of scripts/boundary-rules.ts",
  }));
}

function findDead(graph: ModuleGraph): Violation[] {
  const used = new Set<string>(ENTRIES);
  for (const module of graph.modules.values()) {
    if (isTest(module.path)) continue;
    for (const target of reachedFrom(module)) if (target !== module.path) used.add(target);
  }
  const dead = [...graph.modules.keys()].filter(
    (path) => path.startsWith("src/") && !isTest(path) && !used.has(path),
  );
  return dead.map((path) => ({
    rule: "no-dead-modules",
    path,
    line: 1,
    message: "nothing but a test imports or starts this module",
  }));
}

function reachedFrom(module: Module): string[] {
  return [...module.imports.flatMap((found) => found.target ?? []), ...module.mentions];
}

/** SECURITY: a checker that reads nothing passes everything; this is what makes its silence mean something. */
function checkReading(graph: ModuleGraph): Violation[] {
  const read = [...graph.modules.values()].filter((module) => module.isRead).length;
  if (graph.fileCount > 0 && read === graph.fileCount) return [];
  const message = `read ${read} modules of ${graph.fileCount} source files`;
  return [{ rule: "every-file-is-read", path: "src", line: 1, message }];
}

function list(folders: readonly string[]): string {
  return folders.length === 0 ? "nothing of ours" : folders.map((name) => `src/${name}`).join(", ");
}
