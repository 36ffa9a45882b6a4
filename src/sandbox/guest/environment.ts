import type { SandboxSpecification } from "../provider.ts";
import { trustEnvironment } from "./trust-stores.ts";

export const HOME = "/home/agent";
/** The agent's numbers inside; outside they are the user's own, or subordinate ones. */
export const AGENT_ID = 1000;

const SYSTEM_PATH = ["/usr/local/bin", "/usr/local/sbin", "/usr/bin", "/usr/sbin", "/bin", "/sbin"];
/** Where the usual tools install programs in a home directory. */
const HOME_PATH = [".local/bin", ".npm-global/bin", ".cargo/bin", "go/bin"];

export interface EnvironmentSources {
  specification: SandboxSpecification;
  /** `bin` directories of the toolchains. */
  toolchainPath: readonly string[];
  shell: string;
  /** Where the root file system has its programs. Default: where Linux has them. */
  systemPath?: readonly string[];
  /** Whose home it is, and where. Default: the agent's. */
  account?: { user: string; home: string };
}

const AGENT = { user: "agent", home: HOME };

/** The environment of every process inside, before a request lays its own over it. */
export function sandboxEnvironment(sources: EnvironmentSources): Record<string, string> {
  const { specification, toolchainPath, shell, systemPath = SYSTEM_PATH } = sources;
  const { user, home } = sources.account ?? AGENT;
  const programs = HOME_PATH.map((directory) => `${home}/${directory}`);
  return {
    HOME: home,
    USER: user,
    LOGNAME: user,
    SHELL: shell,
    PATH: [...toolchainPath, ...programs, ...systemPath].join(":"),
    LANG: "C.UTF-8",
    LC_ALL: "C.UTF-8",
    TMPDIR: "/tmp",
    npm_config_prefix: `${home}/.npm-global`,
    // The system's Python refuses `pip install` otherwise; pip then installs into the home directory by itself.
    PIP_BREAK_SYSTEM_PACKAGES: "1",
    ...trustEnvironment(specification.certificates),
    ...specification.environment,
  };
}

/** For a login shell, which makes its PATH anew: the home's programs come first there too. */
export function homePathScript(): string {
  const path = HOME_PATH.map((directory) => `"$HOME/${directory}"`).join(" ");
  return [
    `for directory in ${path}; do`,
    '  case ":$PATH:" in *":$directory:"*) ;; *) PATH=$directory:$PATH ;; esac',
    "done",
    "unset directory",
    "export PATH\n",
  ].join("\n");
}
