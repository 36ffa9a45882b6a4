import type { AgentAdapter } from "../../agent.ts";
import { createJsonTurns } from "../../json-turns.ts";
import { configuration } from "./configuration.ts";
import { npmInstallation } from "../../npm-installation.ts";
import { createEventReader, isToolRefused, readConversationId, readEnd } from "./records.ts";

const TITLE = "OpenCode";
const HEADLESS = ["opencode", "run", "--format", "json", "--auto"];

/** OpenCode, which works with the models of many makers. */
export const opencode: AgentAdapter = {
  id: "opencode",
  title: TITLE,
  command: ["opencode", "--auto"],
  hosts: [
    { host: "opencode.ai", reason: "OpenCode's own models, and signing in to them" },
    { host: "api.anthropic.com", reason: "Anthropic's models" },
    { host: "api.openai.com", reason: "OpenAI's models" },
    { host: "generativelanguage.googleapis.com", reason: "Google's models" },
    { host: "openrouter.ai", reason: "models of others" },
  ],
  environment: {
    OPENCODE_DISABLE_AUTOUPDATE: "1",
    OPENCODE_DISABLE_MODELS_FETCH: "1",
    OPENCODE_DISABLE_LSP_DOWNLOAD: "1",
  },
  credentials: [
    "ANTHROPIC_API_KEY",
    "OPENAI_API_KEY",
    "GEMINI_API_KEY",
    "OPENROUTER_API_KEY",
    "OPENCODE_API_KEY",
  ],
  standaloneWords: ["--version", "--help", "auth", "models", "mcp"],
  acp: ["acp"],
  locations: {
    configuration: [".config/opencode"],
    signIn: [".local/share/opencode/auth.json"],
    conversations: [".local/share/opencode"],
  },
  keptSignIn: {
    directory: ".local/share/opencode",
    files: ["auth.json"],
    login: ["opencode", "auth", "login"],
  },
  modelEndpoint: {
    kind: "config",
    where: "provider.<id>.options.baseURL in ~/.config/opencode/opencode.json",
    protocol: "openai-chat",
  },
  install: npmInstallation({
    name: "opencode-ai",
    version: "1.18.33",
    program: "opencode",
    diskBytes: 900_000_000,
    versionPattern: /^(\d+\.\d+\.\d+)/,
  }),
  turns: createJsonTurns({
    title: TITLE,
    command: HEADLESS,
    resume: (conversationId) => ["--session", conversationId],
    createEventReader,
    readEnd,
    readConversationId,
    isToolRefused,
  }),
  configuration,
};
