import { shell } from "../../src/agent/agents/shell/shell.ts";
import type { Daemon } from "../../src/daemon/daemon.ts";
import { openLocalDaemon } from "../../src/daemon/local-daemon.ts";
import { SILENT_LOGGER } from "../../src/platform/logger.ts";
import { resolvePaths, type Paths } from "../../src/platform/paths.ts";
import { COPIED_CAPABILITIES, createCopiedProvider } from "./copied-provider.ts";
import { SCRIBE } from "./scribe.ts";

/** The daemon as it is, with a provider whose sandboxes have copies of workspaces, and agents that need no installation. */
export function openCopyingDaemon(paths: Paths, homeDirectory: string): Promise<Daemon> {
  return openLocalDaemon({
    paths,
    uid: process.getuid?.() ?? -1,
    homeDirectory,
    environment: process.env,
    logger: { ...SILENT_LOGGER, close: () => undefined },
    idleMs: 600_000,
    plugins: {
      agents: [shell, SCRIBE],
      providers: [
        {
          id: "copied",
          declared: COPIED_CAPABILITIES,
          load: async (place) => createCopiedProvider(place),
        },
      ],
    },
  });
}

// As a program of its own, which a test can kill.
if (process.argv[1] === import.meta.filename) {
  const homeDirectory = process.env["HOME"] ?? "/";
  const uid = process.getuid?.() ?? -1;
  await openCopyingDaemon(
    resolvePaths({ environment: process.env, uid, homeDirectory }),
    homeDirectory,
  );
  process.stdout.write("ready\n");
}
