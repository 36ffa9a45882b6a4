import type { AgentAdapter } from "../agent/agent.ts";
import { claude } from "../agent/agents/claude/claude.ts";
import { codex } from "../agent/agents/codex/codex.ts";
import { copilot } from "../agent/agents/copilot/copilot.ts";
import { gemini } from "../agent/agents/gemini/gemini.ts";
import { kiro } from "../agent/agents/kiro/kiro.ts";
import { opencode } from "../agent/agents/opencode/opencode.ts";
import { qwen } from "../agent/agents/qwen/qwen.ts";
import { shell } from "../agent/agents/shell/shell.ts";
import type { ProviderPlugin } from "../sandbox/provider.ts";
import {
  DAYTONA_CAPABILITIES,
  DAYTONA_SETTINGS,
} from "../sandbox/providers/daytona/capabilities.ts";
import { DOCKER_CAPABILITIES, DOCKER_SETTINGS } from "../sandbox/providers/docker/capabilities.ts";
import { LOCAL_CAPABILITIES } from "../sandbox/providers/local/capabilities.ts";

/** In the order in which a person is offered them. */
export const AGENTS: readonly AgentAdapter[] = [
  kiro,
  claude,
  codex,
  copilot,
  gemini,
  opencode,
  qwen,
  shell,
];

/** The first is the default. */
export const PROVIDERS: readonly ProviderPlugin[] = [
  {
    id: "local",
    declared: LOCAL_CAPABILITIES,
    async load({ environment, ...place }) {
      const { createLocalProvider } = await import("../sandbox/providers/local/provider.ts");
      return createLocalProvider({ ...place, programs: namedRuntimes(environment) });
    },
  },
  {
    id: "docker",
    declared: DOCKER_CAPABILITIES,
    settings: DOCKER_SETTINGS,
    async load({ stateDirectory, runtimeDirectory, setting: read, logger }) {
      const { createDockerProvider } = await import("../sandbox/providers/docker/provider.ts");
      return createDockerProvider({ stateDirectory, runtimeDirectory, read, logger });
    },
  },
  {
    id: "daytona",
    declared: DAYTONA_CAPABILITIES,
    settings: DAYTONA_SETTINGS,
    async load({ stateDirectory, setting: read, logger }) {
      const { createDaytonaProvider } = await import("../sandbox/providers/daytona/provider.ts");
      return createDaytonaProvider({ stateDirectory, read, logger });
    },
  },
];

/** Programs of the OCI runtimes, where they are named. */
function namedRuntimes(
  environment: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string>> {
  const named = ["crun", "runc", "runsc"].map((name) => {
    return [name, environment[`CATTLEGRID_${name.toUpperCase()}`]] as const;
  });
  return Object.fromEntries(
    named.filter((entry): entry is readonly [string, string] => !!entry[1]),
  );
}
