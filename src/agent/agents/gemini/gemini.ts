import type { AgentAdapter } from "../../agent.ts";
import { createJsonTurns } from "../../json-turns.ts";
import { configuration } from "./configuration.ts";
import { npmInstallation } from "../../npm-installation.ts";
import { createEventReader, isToolRefused, readConversationId, readEnd } from "./records.ts";

const TITLE = "Gemini CLI";
const HEADLESS = ["gemini", "--output-format", "stream-json", "--yolo", "--skip-trust"];

/** Google's Gemini CLI. */
export const gemini: AgentAdapter = {
  id: "gemini",
  title: `${TITLE} (Google)`,
  command: ["gemini", "--yolo", "--skip-trust"],
  hosts: [
    { host: "generativelanguage.googleapis.com", reason: "the model's answers to an API key" },
    { host: "cloudcode-pa.googleapis.com", reason: "the model's answers to a Google account" },
    { host: "oauth2.googleapis.com", reason: "sign-in with a Google account, and renewing it" },
  ],
  // The colours of its warning, not of its answers: headless output is JSON.
  environment: { COLORTERM: "truecolor" },
  credentials: ["GEMINI_API_KEY", "GOOGLE_API_KEY"],
  standaloneWords: ["--version", "--help", "mcp", "extensions"],
  acp: ["--acp", "--yolo", "--skip-trust"],
  locations: {
    configuration: [".gemini/settings.json"],
    signIn: [".gemini/oauth_creds.json", ".gemini/google_accounts.json"],
    conversations: [".gemini/tmp"],
  },
  keptSignIn: { directory: ".gemini", files: ["oauth_creds.json", "google_accounts.json"] },
  modelEndpoint: {
    kind: "env",
    variable: "GOOGLE_GEMINI_BASE_URL",
    protocol: "google-generate-content",
  },
  install: npmInstallation({
    name: "@google/gemini-cli",
    version: "0.61.0",
    program: "gemini",
    diskBytes: 900_000_000,
    versionPattern: /^(\d+\.\d+\.\d+)/,
    files: {
      ".gemini/settings.json": JSON.stringify({
        general: { enableAutoUpdate: false, enableAutoUpdateNotification: false },
        privacy: { usageStatisticsEnabled: false },
        telemetry: { enabled: false },
      }),
    },
  }),
  turns: createJsonTurns({
    title: TITLE,
    command: HEADLESS,
    resume: (conversationId) => ["--resume", conversationId],
    commandPrefix: /^\//,
    createEventReader,
    readEnd,
    readConversationId,
    isToolRefused,
  }),
  configuration,
};
