import type { SandboxSpecification } from "../../provider.ts";

export const HOME = "/home/agent";
/** The agent's numbers inside; outside they are the user's own, or subordinate ones. */
export const AGENT_ID = 1000;

const SYSTEM_PATH = ["/usr/local/bin", "/usr/local/sbin", "/usr/bin", "/usr/sbin", "/bin", "/sbin"];
/** Where the usual tools install programs in a home directory. */
export const HOME_PATH = [".local/bin", ".npm-global/bin", ".cargo/bin", "go/bin"];

const CERTIFICATE_VARIABLES = [
  "SSL_CERT_FILE",
  "NODE_EXTRA_CA_CERTS",
  "REQUESTS_CA_BUNDLE",
  "CURL_CA_BUNDLE",
  "GIT_SSL_CAINFO",
  "PIP_CERT",
  "CARGO_HTTP_CAINFO",
];

export interface EnvironmentSources {
  specification: SandboxSpecification;
  /** `bin` directories of the toolchains. */
  toolchainPath: readonly string[];
  shell: string;
  /** Path inside of the file that holds every trusted certificate. */
  certificateBundle: string;
}

/** The environment of every process inside, before a request lays its own over it. */
export function sandboxEnvironment(sources: EnvironmentSources): Record<string, string> {
  const { specification, toolchainPath, shell, certificateBundle } = sources;
  const home = HOME_PATH.map((directory) => `${HOME}/${directory}`);
  const trust = specification.certificates.length === 0 ? [] : CERTIFICATE_VARIABLES;
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
    ...Object.fromEntries(trust.map((name) => [name, certificateBundle])),
    ...specification.environment,
  };
}
