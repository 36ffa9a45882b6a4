import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createProcessProvider } from "../../test/support/process-provider.ts";
import { SILENT_LOGGER } from "../platform/logger.ts";
import { CattlegridError } from "../errors/error.ts";
import { createLazyProvider } from "./lazy-provider.ts";
import type { ProviderPlugin, SandboxProvider } from "./provider.ts";

const NEVER = new AbortController().signal;

let root: string;
let loads: number;
let failure: Error | undefined;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "cg-lazy-"));
  loads = 0;
  failure = undefined;
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function make(): SandboxProvider {
  const { declared } = createProcessProvider("unused");
  const plugin: ProviderPlugin = {
    id: "process",
    declared,
    async load({ stateDirectory }) {
      loads++;
      if (failure !== undefined) throw failure;
      return createProcessProvider(stateDirectory);
    },
  };
  const stateDirectory = join(root, "providers/process");
  const place = {
    stateDirectory,
    runtimeDirectory: root,
    environment: {},
    setting: async () => undefined,
    logger: SILENT_LOGGER,
  };
  return createLazyProvider(plugin, place);
}

const specification = {
  id: "one",
  name: "one",
  protectedPaths: [],
  homeLayers: [],
  toolchains: [],
  environment: {},
  certificates: [],
  limits: {},
};

test("a provider that made nothing is not loaded to look for what is left, nor to be closed", async () => {
  const provider = make();
  expect(await provider.reap(new Set())).toEqual([]);
  expect(await provider.layers.list()).toEqual([]);
  await provider.destroy("one");
  await provider.close();
  expect(loads).toBe(0);
  expect(existsSync(join(root, "providers"))).toBe(false);
});

test("its first sandbox loads it, once, and the next engine finds what that one left", async () => {
  const first = make();
  await Promise.all([first.create(specification, NEVER), first.capabilities(NEVER)]);
  expect(loads).toBe(1);
  await first.close();
  expect(await make().reap(new Set())).toEqual(["one"]);
  expect(loads).toBe(2);
});

test("what kept it from being loaded is told to each who asks, until it is mended", async () => {
  const provider = make();
  failure = new CattlegridError("DEPENDENCY_MISSING", "The program backend is not installed.");
  await expect(provider.create(specification, NEVER)).rejects.toBe(failure);
  await expect(provider.probe(NEVER)).rejects.toBe(failure);
  failure = undefined;
  expect(await provider.probe(NEVER)).toMatchObject([{ status: "ok" }]);
});
