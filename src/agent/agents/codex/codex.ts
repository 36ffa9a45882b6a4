import type { AgentAdapter } from "../../agent.ts";
import { createJsonTurns } from "../../json-turns.ts";
import { configuration } from "./configuration.ts";
import { npmInstallation } from "../../npm-installation.ts";
import { createEventReader, readConversationId, readEnd } from "./records.ts";

const TITLE = "Codex CLI";
const HEADLESS = [
  "codex",
  "exec",
  "--json",
  "--skip-git-repo-check",
  "--dangerously-bypass-approvals-and-sandbox",
];
const CONFIGURATION = `check_for_update_on_startup = false
[analytics]
enabled = false
[feedback]
enabled = false`;

/** OpenAI's Codex CLI. */
export const codex: AgentAdapter = {
  id: "codex",
  title: `${TITLE} (OpenAI)`,
  command: ["codex", "--dangerously-bypass-approvals-and-sandbox"],
  hosts: [
    { host: "api.openai.com", reason: "the model's answers to an API key" },
    { host: "chatgpt.com", reason: "the model's answers to a ChatGPT account" },
    { host: "auth.openai.com", reason: "sign-in with a ChatGPT account, and renewing it" },
  ],
  environment: {},
  credentials: ["CODEX_API_KEY", "OPENAI_API_KEY"],
  standaloneWords: ["--version", "--help", "login", "logout", "mcp", "doctor"],
  locations: {
    configuration: [".codex/config.toml"],
    signIn: [".codex/auth.json"],
    conversations: [".codex/sessions"],
  },
  keptSignIn: {
    directory: ".codex",
    files: ["auth.json"],
    login: ["codex", "login", "--device-auth"],
  },
  modelEndpoint: {
    kind: "config",
    where: "openai_base_url in ~/.codex/config.toml",
    protocol: "openai-responses",
  },
  install: npmInstallation({
    name: "@openai/codex",
    version: "0.171.0",
    program: "codex",
    diskBytes: 1_200_000_000,
    versionPattern: /^codex-cli (\d+\.\d+\.\d+)/,
    files: { ".codex/config.toml": CONFIGURATION },
  }),
  turns: createJsonTurns({
    title: TITLE,
    command: HEADLESS,
    resume: (conversationId) => ["resume", conversationId],
    // The prompt comes through standard input.
    lastWords: ["-"],
    createEventReader,
    readEnd,
    readConversationId,
  }),
  configuration,
};
