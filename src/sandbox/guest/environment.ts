import type { SandboxSpecification } from "../provider.ts";
import { trustEnvironment } from "./trust-stores.ts";

export const HOME = "/home/agent";
/** The agent's numbers inside; outside they are the user's own, or subordinate ones. */
export const AGENT_ID = 1000;

const SYSTEM_PATH = ["/usr/local/bin", "/usr/local/sbin", "/usr/bin", "/usr/sbin", "/bin", "/sbin"];
/** Where the usual tools install programs in a home directory. */
export const HOME_PATH = [".local/bin", ".npm-global/bin", ".cargo/bin", "go/bin"];

export interface EnvironmentSources {
  specification: SandboxSpecification;
  /** `bin` directories of the toolchains. */
  toolchainPath: readonly string[];
  shell: string;
}

/** The environment of every process inside, before a request lays its own over it. */
export function sandboxEnvironment(sources: EnvironmentSources): Record<string, string> {
  const { specification, toolchainPath, shell } = sources;
  const home = HOME_PATH.map((directory) => `${HOME}/${directory}`);
  return {
    HOME,
    USER: "agent",
    LOGNAME: "agent",
    SHELL: shell,
    PATH: [...toolchainPath, ...home, ...SYSTEM_PATH].join(":"),
    LANG: "C.UTF-8",
    LC_ALL: "C.UTF-8",
    TMPDIR: "/tmp",
    npm_config_prefix: `${HOME}/.npm-global`,
    // The system's Python refuses `pip install` otherwise; pip then installs into the home directory by itself.
    PIP_BREAK_SYSTEM_PACKAGES: "1",
    ...trustEnvironment(specification.certificates),
    ...specification.environment,
  };
}
