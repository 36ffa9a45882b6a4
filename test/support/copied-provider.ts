import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type {
  ProviderPlace,
  SandboxCapabilities,
  SandboxProvider,
  SandboxSpecification,
} from "../../src/sandbox/provider.ts";
import { LOCAL_CAPABILITIES } from "../../src/sandbox/providers/local/capabilities.ts";
import { createLocalProvider } from "../../src/sandbox/providers/local/provider.ts";

export const COPIED_CAPABILITIES: SandboxCapabilities = {
  ...LOCAL_CAPABILITIES,
  workspaceModes: ["overlay"],
  workspaceFiles: "copied",
};

/**
 * The local provider as one that shares no files: at the workspace's path there is an empty directory of the sandbox's own. What runs in
 * it is as real as in any sandbox.
 */
export function createCopiedProvider(
  place: Pick<ProviderPlace, "stateDirectory" | "runtimeDirectory">,
): SandboxProvider & { readonly files: string } {
  const local = createLocalProvider(place);
  const files = join(place.stateDirectory, "copied");
  const specify = (specification: SandboxSpecification): SandboxSpecification => {
    const { workspace, id } = specification;
    if (workspace === undefined) return specification;
    const source = join(files, id);
    mkdirSync(source, { recursive: true });
    return { ...specification, workspace: { path: workspace.path, mode: "clone", source } };
  };
  const forget = (id: string): void => rmSync(join(files, id), { recursive: true, force: true });
  return {
    id: "copied",
    declared: COPIED_CAPABILITIES,
    files,
    capabilities: async (signal) => ({
      ...(await local.capabilities(signal)),
      workspaceModes: COPIED_CAPABILITIES.workspaceModes,
      workspaceFiles: "copied",
    }),
    probe: (signal) => local.probe(signal),
    create: (specification, signal) => local.create(specify(specification), signal),
    start: (specification, hooks, signal) => local.start(specify(specification), hooks, signal),
    async destroy(id) {
      await local.destroy(id);
      forget(id);
    },
    layers: local.layers,
    async reap(keep) {
      const reaped = await local.reap(keep);
      for (const id of reaped) forget(id);
      return reaped;
    },
    close: () => local.close(),
  };
}
