import type { AgentAdapter } from "../../agent.ts";
import { createJsonTurns } from "../../json-turns.ts";
import { configuration } from "./configuration.ts";
import { npmInstallation } from "../../npm-installation.ts";
import { createEventReader, isToolRefused, readConversationId, readEnd } from "./records.ts";

const TITLE = "Copilot CLI";
const HEADLESS = [
  "copilot",
  "--output-format",
  "json",
  "--allow-all-tools",
  "--allow-all-paths",
  "--no-auto-update",
  "--no-color",
];

/** GitHub's Copilot CLI. */
export const copilot: AgentAdapter = {
  id: "copilot",
  title: `${TITLE} (GitHub)`,
  command: ["copilot", "--allow-all-tools", "--allow-all-paths"],
  hosts: [
    { host: "api.githubcopilot.com", reason: "the model's answers" },
    { host: "api.individual.githubcopilot.com", reason: "the model's answers (personal plans)" },
    { host: "api.business.githubcopilot.com", reason: "the model's answers (business plans)" },
    { host: "api.enterprise.githubcopilot.com", reason: "the model's answers (enterprise plans)" },
    { host: "api.github.com", reason: "the account and its plan" },
    { host: "github.com", reason: "sign-in with a device code" },
  ],
  // Exactly "true" also spares the question whether the folder is trusted: the sandbox is what bounds it.
  environment: { COPILOT_AUTO_UPDATE: "false", COPILOT_ALLOW_ALL: "true" },
  credentials: ["COPILOT_GITHUB_TOKEN", "GH_TOKEN", "GITHUB_TOKEN", "COPILOT_PROVIDER_API_KEY"],
  standaloneWords: ["--version", "--help", "login", "help"],
  acp: ["--acp", "--allow-all-tools", "--allow-all-paths"],
  locations: {
    configuration: [".copilot/config.json", ".copilot/mcp-config.json"],
    signIn: [".copilot/config.json"],
    conversations: [".copilot/session-state"],
  },
  keptSignIn: { directory: ".copilot", files: ["config.json"], login: ["copilot", "login"] },
  modelEndpoint: { kind: "env", variable: "COPILOT_PROVIDER_BASE_URL", protocol: "openai-chat" },
  install: npmInstallation({
    name: "@github/copilot",
    version: "1.0.102",
    program: "copilot",
    diskBytes: 1_200_000_000,
    versionPattern: /(\d+\.\d+\.\d+)/,
  }),
  turns: createJsonTurns({
    title: TITLE,
    command: HEADLESS,
    resume: (conversationId) => [`--resume=${conversationId}`],
    commandPrefix: /^\//,
    createEventReader,
    readEnd,
    readConversationId,
    isToolRefused,
  }),
  configuration,
};
