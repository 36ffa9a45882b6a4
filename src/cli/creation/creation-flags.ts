import type { Flags } from "../arguments.ts";
import { TEMPLATE_FLAGS } from "../template/template-flags.ts";

export const ENV_FILE_FLAG = {
  "env-file": {
    kind: "list",
    value: "FILE",
    suggest: ["file"],
    help: "variables from a file of NAME=VALUE lines; -e wins over it",
  },
} as const satisfies Flags;

export const SECRET_FLAG = {
  secret: {
    kind: "list",
    value: "VARIABLE=NAME",
    suggest: ["secret"],
    help: "a variable that holds a secret of the vault; NAME alone is both",
  },
} as const satisfies Flags;

/** What can be said about a sandbox when it is made; `run`, `chat` and `create` share it. */
export const CREATION_FLAGS = {
  name: {
    kind: "text",
    value: "NAME",
    suggest: ["sandbox"],
    help: "the sandbox's name; default: made of agent and folder",
  },
  ...TEMPLATE_FLAGS,
  provider: {
    kind: "text",
    value: "ID",
    suggest: ["provider"],
    help: "the sandbox provider; default: local",
  },
  isolation: {
    kind: "text",
    value: "GRADE",
    help: "namespaces, container, gvisor, microvm or remote",
    suggest: [["namespaces", "container", "gvisor", "microvm", "remote"]],
  },
  mode: {
    kind: "text",
    value: "MODE",
    help: "how the workspace is shared: direct (default), readonly, overlay or clone",
    suggest: [["direct", "readonly", "overlay", "clone"]],
  },
  env: {
    kind: "list",
    short: "e",
    value: "NAME[=VALUE]",
    help: "a variable inside; without a value, this shell's own",
  },
  ...ENV_FILE_FLAG,
  ...SECRET_FLAG,
  allow: {
    kind: "list",
    value: "RULE",
    help: "let connections to HOST, HOST:PORT or HOST:PORT,private out",
  },
  deny: { kind: "list", value: "RULE", help: "refuse connections to a host; wins over --allow" },
  policy: {
    kind: "text",
    value: "PRESET|FILE",
    suggest: [["locked", "agent", "dev", "open"], "file"],
    help: "locked, agent (default), open, or the path of a policy file",
  },
  unprotect: {
    kind: "list",
    value: "PATH",
    help: "let the agent change a protected path of the workspace",
  },
  include: {
    kind: "list",
    value: "PATTERN",
    suggest: ["file"],
    help: "of a workspace that is copied, send these files too, though git does not track them",
  },
  region: {
    kind: "list",
    value: "REGION",
    help: "a region of the agent's service to let out to, instead of its default ones",
  },
  profile: {
    kind: "text",
    value: "NAME",
    help: "the login profile whose sign-in the agent gets; default: default",
  },
  cpus: { kind: "text", value: "N", help: "how many CPUs at most" },
  memory: { kind: "text", value: "SIZE", help: "how much memory at most, such as 512m or 8g" },
  "idle-stop": {
    kind: "text",
    value: "TIME",
    help: "stop the sandbox after this long with nothing going on in it, such as 30m",
  },
  "max-age": {
    kind: "text",
    value: "TIME",
    help: "stop the sandbox this long after it was made, for good, such as 8h",
  },
  "git-identity": {
    kind: "switch",
    negatable: true,
    isOn: true,
    help: "keep your git user.name and user.email out of the sandbox",
  },
} as const satisfies Flags;

export const INSTALL_TIMEOUT_FLAG = {
  "install-timeout": {
    kind: "text",
    value: "TIME",
    help: "deadline of the agent's installation; default: 15m",
  },
} as const satisfies Flags;

export const LOGIN_TIMEOUT_FLAG = {
  "login-timeout": { kind: "text", value: "TIME", help: "deadline of the sign-in; default: 15m" },
} as const satisfies Flags;

export const DIRECTORY_FLAGS = {
  "identity-provider": {
    kind: "text",
    value: "URL",
    help: "start page of the organisation whose people sign in",
  },
  "identity-region": {
    kind: "text",
    value: "REGION",
    help: "region of that organisation's directory",
  },
} as const satisfies Flags;

export const DETACH_KEYS_FLAG = {
  "detach-keys": {
    kind: "text",
    value: "KEYS",
    help: "the keys that leave the session; default: ctrl-p,ctrl-q",
  },
} as const satisfies Flags;

export const INPUT_FLAG = {
  input: { kind: "switch", negatable: true, isOn: true, help: "never ask a question" },
} as const satisfies Flags;

export const RECORD_FLAG = {
  record: {
    kind: "optional",
    value: "FILE",
    help: "record what is shown, for `logs NAME --replay`; with =FILE, into that file",
  },
} as const satisfies Flags;

export const JSON_FLAG = {
  json: { kind: "switch", help: "print JSON on standard output" },
} as const satisfies Flags;
