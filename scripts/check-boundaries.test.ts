import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { checkBoundaries } from "./boundary-rules.ts";
import { readModuleGraph } from "./module-graph.ts";

const SOUND: Readonly<Record<string, string>> = {
  "src/errors/error.ts": "export const error = 1;",
  "src/protocol/sandbox.ts": 'import { z } from "zod"; export const schema = z;',
  "src/platform/spawn.ts":
    'import "node:child_process"; import { error } from "../errors/error.ts"; export const s = error;',
  "src/sandbox/provider.ts": 'import { s } from "../platform/spawn.ts"; export const provider = s;',
  "src/sandbox/providers/local/provider.ts":
    'import { provider } from "../../provider.ts"; import { k } from "./keeper.ts"; export const local = [provider, k];',
  "src/sandbox/providers/local/keeper.ts": "export const k = 1;",
  "src/sandbox/providers/remote/provider.ts": "export const remote = 1;",
  "src/agent/agent.ts": "export interface Agent { id: string }",
  "src/agent/agents/kiro/agent.ts":
    'import type { Agent } from "../../agent.ts"; export const kiro: Agent = { id: "kiro" };',
  "src/session/session.ts":
    'import type { Agent } from "../agent/agent.ts"; export const session = {} as Agent;',
  "src/server/server.ts":
    'export { session } from "../session/session.ts"; export { provider } from "../sandbox/provider.ts"; import "./workers.ts";',
  "src/daemon/main.ts":
    'import "../server/server.ts"; import "../sandbox/providers/local/provider.ts"; import "../sandbox/providers/remote/provider.ts"; import "../agent/agents/kiro/agent.ts";',
  "src/cli/main.ts":
    'import { schema } from "../protocol/sandbox.ts"; new URL("../daemon/main.ts", import.meta.url); schema;',
  "src/server/worker.ts": "export const worker = 1;",
  "src/server/workers.ts": "new URL(`./worker${extname(import.meta.url)}`, import.meta.url);",
  "src/session/session.test.ts": 'import "./session.ts"; import "vitest";',
  "simulator/main.ts": 'import "node:http";',
};

const trees: string[] = [];

afterEach(() => {
  for (const tree of trees.splice(0)) rmSync(tree, { recursive: true });
});

function check(changes: Readonly<Record<string, string>>): string[] {
  const root = mkdtempSync(join(tmpdir(), "boundaries-"));
  trees.push(root);
  for (const [path, text] of Object.entries({ ...SOUND, ...changes })) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  const graph = readModuleGraph(root, ["src", "simulator", "scripts"]);
  return checkBoundaries(graph, new Set(["zod"])).map(({ rule, path }) => `${rule} ${path}`);
}

describe("the boundary checker", () => {
  test("passes a tree that keeps every rule", () => {
    expect(check({})).toEqual([]);
  });

  const broken: [rule: string, path: string, text: string][] = [
    ["folders-look-down", "src/protocol/sandbox.ts", 'import "../errors/error.ts";'],
    ["folders-look-down", "src/platform/spawn.ts", 'import "../protocol/sandbox.ts";'],
    ["folders-look-down", "src/sandbox/provider.ts", 'import "../session/session.ts";'],
    ["folders-look-down", "src/session/session.ts", 'import "../server/server.ts";'],
    ["folders-look-down", "src/server/server.ts", 'import "../daemon/main.ts";'],
    ["folders-look-down", "src/cli/main.ts", 'import type { Agent } from "../agent/agent.ts";'],
    ["folders-look-down", "src/cli/main.ts", 'await import("../daemon/main.ts");'],
    ["folders-look-down", "src/daemon/main.ts", 'export * from "../cli/main.ts";'],
    [
      "plugins-are-islands",
      "src/agent/agents/kiro/agent.ts",
      'import "../../../session/session.ts";',
    ],
    [
      "plugins-are-islands",
      "src/agent/agents/kiro/agent.ts",
      'import "../../../sandbox/provider.ts";',
    ],
    [
      "plugins-are-islands",
      "src/sandbox/providers/remote/provider.ts",
      'import "../local/keeper.ts";',
    ],
    [
      "only-daemon-composes-plugins",
      "src/server/server.ts",
      'import type {} from "../sandbox/providers/local/provider.ts";',
    ],
    [
      "only-daemon-composes-plugins",
      "src/sandbox/provider.ts",
      'import "./providers/local/keeper.ts";',
    ],
    ["processes-only-in-platform", "src/session/session.ts", 'import "node:child_process";'],
    [
      "processes-only-in-platform",
      "src/sandbox/providers/local/keeper.ts",
      'import "child_process";',
    ],
    ["product-imports-no-tooling", "src/session/session.ts", 'import "./session.test.ts";'],
    ["product-imports-no-tooling", "src/session/session.ts", 'import "../../simulator/main.ts";'],
    ["simulator-is-apart", "simulator/main.ts", 'import "../src/errors/error.ts";'],
    ["imports-resolve", "src/session/session.ts", 'import "./absent.ts";'],
    ["packages-are-dependencies", "src/session/session.ts", 'import "vitest";'],
    ["folders-are-known", "src/helpers/text.ts", "export const text = 1;"],
    ["no-dead-modules", "src/session/forgotten.ts", "export const forgotten = 1;"],
  ];

  test.each(broken)("reports %s in %s", (rule, path, text) => {
    expect(check({ [path]: text })).toContain(`${rule} ${path}`);
  });

  test("fails when the compiler's reader returns nothing for a file that imports", () => {
    const graph = readModuleGraph(join(import.meta.dirname, ".."), ["scripts"]);
    const unread = new Map(
      [...graph.modules].map(([path, module]) => [path, { ...module, isRead: false }]),
    );
    const rules = checkBoundaries({ ...graph, modules: unread }, new Set()).map(({ rule }) => rule);
    expect(rules).toContain("every-file-is-read");
    expect(checkBoundaries(graph, new Set()).map(({ rule }) => rule)).not.toContain(
      "every-file-is-read",
    );
  });

  test("fails on a tree without source files", () => {
    const nothing = { modules: new Map(), fileCount: 0 };
    expect(checkBoundaries(nothing, new Set()).map(({ rule }) => rule)).toEqual([
      "every-file-is-read",
    ]);
  });
});
