import type { AgentAdapter } from "../../src/agent/agent.ts";

/** An agent whose prompts are shell scripts, so that a test says what it does. It needs no installation. */
export const SCRIBE: AgentAdapter = {
  id: "scribe",
  title: "Scribe (for tests)",
  command: ["sh"],
  hosts: [],
  environment: {},
  credentials: [],
  standaloneWords: [],
  locations: { configuration: [], signIn: [], conversations: [] },
  modelEndpoint: { kind: "none" },
  turns: {
    checkPrompt: () => undefined,
    canResume: () => false,
    command: ({ prompt }) => ({ argv: ["sh", "-ec", prompt] }),
    judge: ({ exitCode, stdout }) => {
      const answer = stdout.toString("utf8").trimEnd();
      return exitCode === 0
        ? { outcome: "succeeded", answer }
        : { outcome: "failed", reason: `sh ended with ${exitCode}`, answer };
    },
    versionNotice: () => undefined,
  },
};
