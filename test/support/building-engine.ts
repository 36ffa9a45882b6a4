import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { shell } from "../../src/agent/agents/shell/shell.ts";
import { createAgentRegistry } from "../../src/agent/registry.ts";
import { SILENT_LOGGER } from "../../src/platform/logger.ts";
import { resolvePaths } from "../../src/platform/paths.ts";
import type { SandboxStart } from "../../src/protocol/sandbox.ts";
import { createLocalProvider } from "../../src/sandbox/providers/local/provider.ts";
import { createEngine, type Engine } from "../../src/session/engine.ts";
import type { MakeProvider } from "../../src/testing/conformance/sandbox-yard.ts";

/**
 * An engine with real sandboxes and the templates of `root`/templates; everything of it lies below `root`. `makeProvider`
 * default: the local one.
 */
export async function openBuildingEngine(
  root: string,
  makeProvider: MakeProvider = createLocalProvider,
): Promise<Engine> {
  const environment = { CATTLEGRID_HOME: join(root, "state") };
  const uid = process.getuid?.() ?? 0;
  const paths = resolvePaths({ environment, uid, homeDirectory: join(root, "home") });
  return createEngine({
    paths,
    homeDirectory: join(root, "home"),
    providers: [
      makeProvider({
        stateDirectory: join(root, "state/providers/local"),
        runtimeDirectory: join(root, "run"),
      }),
    ],
    agents: createAgentRegistry([shell]),
    templates: [{ origin: "user", path: join(root, "templates") }],
    logger: SILENT_LOGGER,
  });
}

export function writeTemplate(root: string, name: string, text: string): void {
  const directory = join(root, "templates", name);
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, "cattlegrid.template.yaml"), text);
}

/** Builds one of them; resolves with its layers. */
export async function buildTemplate(
  engine: Engine,
  name: string,
  {
    onOutput = () => undefined,
    mirrors,
  }: { onOutput?: (text: string) => void; mirrors?: SandboxStart["mirrors"] } = {},
): Promise<readonly string[]> {
  const { resolved } = await engine.templates.resolve({ name }, { owner: "local:7" });
  return engine.templateLayers.build(resolved, {
    owner: "local:7",
    mirrors: mirrors ?? null,
    signal: new AbortController().signal,
    onEvent(event) {
      if (event.type === "build-delta") onOutput(event.text);
    },
  });
}
