import type { AgentAdapter } from "../../agent.ts";

/** No agent at all: a login shell, with nothing installed, nobody signed in and no host allowed. */
export const shell: AgentAdapter = {
  id: "shell",
  title: "Shell (bash)",
  command: ["bash", "-l"],
  hosts: [],
  environment: {},
  credentials: [],
  locations: { configuration: [], signIn: [], conversations: [] },
  modelEndpoint: { kind: "none" },
  // After `-l` bash takes no long option any more.
  standaloneWords: ["--version", "--help"],
};
