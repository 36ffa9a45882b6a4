import { homedir } from "node:os";
import { openDaemon, type Daemon } from "../../src/daemon/daemon.ts";
import { SILENT_LOGGER } from "../../src/platform/logger.ts";
import type { Paths } from "../../src/platform/paths.ts";
import { createEngine } from "../../src/session/engine.ts";
import { createProcessProvider } from "./process-provider.ts";
import { createSmallAgents } from "./small-agents.ts";

/** The real daemon and engine over host processes instead of sandboxes. */
export function openTestDaemon(options: {
  paths: Paths;
  uid: number;
  idleMs: number;
}): Promise<Daemon> {
  const { paths } = options;
  return openDaemon({
    ...options,
    version: "0.0.0",
    logger: SILENT_LOGGER,
    openEngine: () =>
      createEngine({
        paths,
        homeDirectory: homedir(),
        providers: [createProcessProvider(paths.providerDirectory("process"))],
        agents: createSmallAgents(),
        logger: SILENT_LOGGER,
      }),
  });
}
