import type { Verb } from "./verb.ts";

export interface VerbEntry {
  summary: string;
  /** A verb's module is read only when it is the one that was called. */
  load(): Promise<Verb>;
}

export const VERBS: Readonly<Record<string, VerbEntry>> = {
  run: {
    summary: "run an agent in its sandbox, which is made or started first",
    load: async () => (await import("./commands/run.ts")).RUN,
  },
  chat: {
    summary: "talk to an agent prompt by prompt in a new sandbox",
    load: async () => (await import("./commands/chat.ts")).CHAT,
  },
  create: {
    summary: "make a sandbox without starting it",
    load: async () => (await import("./commands/create.ts")).CREATE,
  },
  start: {
    summary: "start stopped sandboxes",
    load: async () => (await import("./commands/start.ts")).START,
  },
  stop: {
    summary: "stop sandboxes; home, sign-in and workspace are kept",
    load: async () => (await import("./commands/stop.ts")).STOP,
  },
  rm: {
    summary: "remove sandboxes with all that is only in them",
    load: async () => (await import("./commands/rm.ts")).RM,
  },
  recreate: {
    summary: "make a sandbox anew, with a fresh home",
    load: async () => (await import("./commands/recreate.ts")).RECREATE,
  },
  prune: {
    summary: "remove what does not run and is not used",
    load: async () => (await import("./commands/prune.ts")).PRUNE,
  },
  exec: {
    summary: "run a command in a running sandbox",
    load: async () => (await import("./commands/exec.ts")).EXEC,
  },
  cp: {
    summary: "copy files out of a sandbox or into one",
    load: async () => (await import("./commands/cp.ts")).CP,
  },
  ports: {
    summary: "publish ports of a sandbox on this machine",
    load: async () => (await import("./commands/ports.ts")).PORTS,
  },
  fetch: {
    summary: "bring the work of a sandbox in mode clone into a branch of yours",
    load: async () => (await import("./commands/fetch.ts")).FETCH,
  },
  quarantine: {
    summary: "list or put back what was moved out of workspaces",
    load: async () => (await import("./commands/quarantine.ts")).QUARANTINE,
  },
  attach: {
    summary: "join a session from this terminal",
    load: async () => (await import("./commands/attach.ts")).ATTACH,
  },
  diff: {
    summary: "show what a sandbox changed and your files do not have yet",
    load: async () => (await import("./commands/diff.ts")).DIFF,
  },
  apply: {
    summary: "bring a sandbox's changes to your files",
    load: async () => (await import("./commands/apply.ts")).APPLY,
  },
  discard: {
    summary: "drop a sandbox's changes",
    load: async () => (await import("./commands/discard.ts")).DISCARD,
  },
  ls: {
    summary: "list sandboxes",
    load: async () => (await import("./commands/ls.ts")).LS,
  },
  inspect: {
    summary: "show everything about one sandbox",
    load: async () => (await import("./commands/inspect.ts")).INSPECT,
  },
  logs: {
    summary: "show what a sandbox reached and was refused",
    load: async () => (await import("./commands/logs.ts")).LOGS,
  },
  policy: {
    summary: "show, ask and change what may leave a sandbox",
    load: async () => (await import("./commands/policy.ts")).POLICY,
  },
  acp: {
    summary: "let an editor work with an agent in its sandbox (Agent Client Protocol)",
    load: async () => (await import("./commands/acp.ts")).ACP,
  },
  "ssh-config": {
    summary: "print or install what OpenSSH needs to reach sandboxes by name",
    load: async () => (await import("./commands/ssh-config.ts")).SSH_CONFIG,
  },
  "ssh-proxy": {
    summary: "lead OpenSSH into a sandbox, as its ProxyCommand",
    load: async () => (await import("./commands/ssh-proxy.ts")).SSH_PROXY,
  },
  agents: {
    summary: "list the agents, or show what one runs, reaches and keeps",
    load: async () => (await import("./commands/agents.ts")).AGENTS,
  },
  login: {
    summary: "sign in to an agent once, for every sandbox",
    load: async () => (await import("./commands/login.ts")).LOGIN,
  },
  logout: {
    summary: "forget a sign-in that is kept for every sandbox",
    load: async () => (await import("./commands/logout.ts")).LOGOUT,
  },
  secret: {
    summary: "keep secrets in the vault, and say which agent is given them",
    load: async () => (await import("./commands/secret.ts")).SECRET,
  },
  template: {
    summary: "list, show and check the templates that sandboxes are made from",
    load: async () => (await import("./commands/template.ts")).TEMPLATE,
  },
  params: {
    summary: "show and change the answers that a sandbox was made with from its template",
    load: async () => (await import("./commands/params.ts")).PARAMS,
  },
  doctor: {
    summary: "check what this machine can do, and say what is missing",
    load: async () => (await import("./commands/doctor.ts")).DOCTOR,
  },
  daemon: {
    summary: "start, stop or look at the background process",
    load: async () => (await import("./commands/daemon.ts")).DAEMON,
  },
  reset: {
    summary: "remove every sandbox and all of Cattlegrid's state",
    load: async () => (await import("./commands/reset.ts")).RESET,
  },
  completion: {
    summary: "print what bash, zsh or fish needs to complete command lines",
    load: async () => (await import("./commands/completion.ts")).COMPLETION,
  },
  version: {
    summary: "show the versions of this program and of the daemon",
    load: async () => (await import("./commands/version.ts")).VERSION,
  },
};
