import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { FakeDaytona } from "../../simulator/daytona/daytona.ts";
import { shell } from "../../src/agent/agents/shell/shell.ts";
import type { Daemon } from "../../src/daemon/daemon.ts";
import { openLocalDaemon } from "../../src/daemon/local-daemon.ts";
import { SILENT_LOGGER } from "../../src/platform/logger.ts";
import type { Paths } from "../../src/platform/paths.ts";
import {
  DAYTONA_CAPABILITIES,
  DAYTONA_SETTINGS,
} from "../../src/sandbox/providers/daytona/capabilities.ts";
import { PATIENCE, type Patience } from "../../src/sandbox/providers/daytona/patience.ts";
import { createDaytonaProvider } from "../../src/sandbox/providers/daytona/provider.ts";
import { CommandLine, type CommandResult } from "./command-line.ts";
import { openFakeDaytona } from "./fake-daytona.ts";
import { SCRIBE } from "./scribe.ts";

export const LOCKED = ["--provider", "daytona", "--policy", "locked"];

/**
 * The command line against a daemon in this process, whose sandboxes are a fake Daytona's and whose patience a test chooses. In
 * the workspace there is a file `f`.
 */
export class DaytonaDesk {
  readonly daytona: FakeDaytona;
  readonly cli: CommandLine;
  /** May be changed at any time. */
  readonly patience: Patience;
  readonly #daemon: Daemon;

  private constructor(
    { daytona, cli, patience }: Pick<DaytonaDesk, "daytona" | "cli" | "patience">,
    daemon: Daemon,
  ) {
    this.daytona = daytona;
    this.cli = cli;
    this.patience = patience;
    this.#daemon = daemon;
  }

  static async open(): Promise<DaytonaDesk> {
    const daytona = await openFakeDaytona();
    const cli = new CommandLine();
    Object.assign(cli.environment, {
      DAYTONA_API_URL: daytona.url,
      DAYTONA_API_KEY: daytona.key,
      DAYTONA_TARGET: "us",
    });
    const patience = { ...PATIENCE };
    const daemon = await openDaemon(cli.paths, cli.directory, patience);
    return new DaytonaDesk({ daytona, cli, patience }, daemon);
  }

  /** As at the beginning: no fault, the file as it was, and little patience with what goes wrong. */
  clear(): void {
    Object.assign(this.patience, PATIENCE, { pauseMs: 10, pingMs: 300, renewMs: 100 });
    writeFileSync(join(this.cli.workspace, "f"), "old\n");
    this.daytona.faults.clear();
  }

  chat(prompt: string, environment = {}): Promise<CommandResult> {
    return this.cli.run(["chat", "scribe", ...LOCKED, "--prompt", prompt], { environment });
  }

  /** Every sandbox that is anywhere, by name: of this machine's lists and at the service. */
  async left(): Promise<readonly string[]> {
    const { stdout } = await this.cli.run(["ls", "--json"]);
    const { sandboxes } = JSON.parse(stdout) as { sandboxes: readonly { name: string }[] };
    return [...sandboxes, ...this.daytona.sandboxes.list()].map(({ name }) => name);
  }

  async close(): Promise<void> {
    this.daytona.faults.clear();
    await this.#daemon.close();
    await this.cli.close();
    await this.daytona[Symbol.asyncDispose]();
  }
}

/** The daemon as it is, with Daytona as its only provider. */
function openDaemon(
  paths: Paths,
  homeDirectory: string,
  patience: Partial<Patience>,
): Promise<Daemon> {
  return openLocalDaemon({
    paths,
    uid: process.getuid?.() ?? -1,
    homeDirectory,
    environment: {},
    logger: { ...SILENT_LOGGER, close: () => undefined },
    idleMs: 600_000,
    plugins: {
      agents: [shell, SCRIBE],
      providers: [
        {
          id: "daytona",
          declared: DAYTONA_CAPABILITIES,
          settings: DAYTONA_SETTINGS,
          load: async ({ stateDirectory, setting: read }) =>
            createDaytonaProvider({ stateDirectory, read, patience }),
        },
      ],
    },
  });
}
