import { join } from "node:path";
import { createFileAgents } from "../agent/adapter-files/file-agents.ts";
import type { AgentAdapter } from "../agent/agent.ts";
import { createAgentRegistry } from "../agent/registry.ts";
import type { CeilingPlace } from "../egress/ceiling/ceilings.ts";
import type { LogFile } from "../platform/logger.ts";
import type { Paths } from "../platform/paths.ts";
import { locatePackageDirectory, readProgramVersion } from "../platform/version.ts";
import { createLazyProvider } from "../sandbox/lazy-provider.ts";
import { ProviderSettings } from "../sandbox/provider-settings.ts";
import type { ProviderPlugin } from "../sandbox/provider.ts";
import { createEngine } from "../session/engine.ts";
import { openDaemon, type Daemon } from "./daemon.ts";
import { AGENTS, PROVIDERS } from "./plugins.ts";

const ORGANISATION_POLICY = "/etc/cattlegrid/policy.yaml";
const ORGANISATION_AGENTS = "/etc/cattlegrid/agents";
const ORGANISATION_TEMPLATES = "/etc/cattlegrid/templates";
const MACHINE_UPSTREAM = "/etc/cattlegrid/upstream.yaml";

export interface LocalDaemonOptions {
  paths: Paths;
  uid: number;
  homeDirectory: string;
  environment: Readonly<Record<string, string | undefined>>;
  logger: LogFile;
  idleMs: number;
  /** Default: all that are part of the product. */
  plugins?: Plugins;
}

export interface Plugins {
  /** In the order in which a person is offered them. */
  agents: readonly AgentAdapter[];
  /** The first is the default. */
  providers: readonly ProviderPlugin[];
}

/** The daemon with all its plugins; in a process of its own, or in that of a program which embeds it. */
export function openLocalDaemon(options: LocalDaemonOptions): Promise<Daemon> {
  const { paths, uid, homeDirectory, environment, logger, idleMs } = options;
  const { runtimeDirectory } = paths;
  const { agents, providers: composed } = options.plugins ?? {
    agents: AGENTS,
    providers: PROVIDERS,
  };
  const providerSettings = new ProviderSettings({
    declared: new Map(composed.map(({ id, settings = [] }) => [id, settings])),
    environment,
    fileOf: (id) => join(paths.providerDirectory(id), "settings.json"),
  });
  const providers = composed.map((plugin) => {
    const stateDirectory = paths.providerDirectory(plugin.id);
    const setting = (variable: string): Promise<string | undefined> =>
      providerSettings.read(plugin.id, variable);
    const place = { stateDirectory, runtimeDirectory, environment, setting, logger };
    return createLazyProvider(plugin, place, {
      begin: () => providerSettings.remember(plugin.id),
      show: () => providerSettings.show(plugin.id),
    });
  });
  return openDaemon({
    paths,
    uid,
    version: readProgramVersion(),
    openEngine: () =>
      createEngine({
        paths,
        homeDirectory,
        providers,
        providerSettings,
        agents: createFileAgents(createAgentRegistry(agents), {
          own: paths.agentsDirectory,
          others: [ORGANISATION_AGENTS],
        }),
        ceilings: placeCeilings(environment["CATTLEGRID_ORGANISATION_POLICY"]),
        templates: [
          { origin: "organisation", path: ORGANISATION_TEMPLATES },
          { origin: "user", path: paths.templatesDirectory },
          { origin: "shipped", path: locatePackageDirectory("templates") },
        ],
        upstream: { files: [paths.upstreamFile, MACHINE_UPSTREAM], environment },
        logger,
      }),
    logger,
    idleMs,
  });
}

/** SECURITY: the machine's own file is always read; one that the environment names limits further and never instead. */
function placeCeilings(named: string | undefined): readonly CeilingPlace[] {
  const further = named === undefined || named === "" ? [] : [{ path: named, isRequired: true }];
  return [{ path: ORGANISATION_POLICY, isRequired: false }, ...further];
}
