import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { runProcess } from "../platform/process.ts";
import { SILENT_LOGGER } from "../platform/logger.ts";
import type { SandboxCapabilities } from "../sandbox/provider.ts";
import { PROVIDERS } from "./plugins.ts";

const PAGE = join(import.meta.dirname, "../../docs/providers/README.md");

function rowOf(id: string, declared: SandboxCapabilities): string {
  const { isolation, workspaceModes, workspaceFiles, egress, limits } = declared;
  const { layers, ports, snapshot, warmPool, bases = false } = declared;
  const lists = [isolation, workspaceModes, [workspaceFiles], [egress], limits].map((list) =>
    list.join(", "),
  );
  const answers = [layers, ports, snapshot, warmPool, bases].map((can) => (can ? "yes" : "no"));
  return `| ${[`[${id}](${id}.md)`, ...lists, ...answers].join(" | ")} |`;
}

describe("the sandbox providers of the product", () => {
  test("can do what their page says, and the page lists each", () => {
    const rows = readFileSync(PAGE, "utf8")
      .split("\n")
      .filter((line) => line.startsWith("| ["));
    expect(rows).toEqual(PROVIDERS.map(({ id, declared }) => rowOf(id, declared)));
  });

  test("are loaded with their first use: the daemon's start reads no more than what they declare", async () => {
    const script = `
      const { registerHooks } = await import("node:module");
      const read = [];
      registerHooks({ load(url, context, next) { read.push(url); return next(url, context); } });
      await import(${JSON.stringify(join(import.meta.dirname, "local-daemon.ts"))});
      console.log(JSON.stringify(read));`;
    const { stdout } = await runProcess([process.execPath, "--input-type=module", "-e", script]);
    const read = JSON.parse(stdout) as string[];
    expect(read.some((url) => url.endsWith("src/session/engine.ts"))).toBe(true);
    const own = read.filter((url) => url.includes("/sandbox/providers/"));
    expect(own.filter((url) => !url.endsWith("/capabilities.ts"))).toEqual([]);
    expect(own.length).toBe(PROVIDERS.length);
  });

  test.each(PROVIDERS)("$id is what its entry declares, once it is loaded", async (plugin) => {
    const place = {
      stateDirectory: "/nowhere",
      runtimeDirectory: "/nowhere",
      environment: {},
      setting: async () => undefined,
    };
    const provider = await plugin.load({ ...place, logger: SILENT_LOGGER });
    expect(provider.id).toBe(plugin.id);
    expect(provider.declared).toEqual(plugin.declared);
  });
});
