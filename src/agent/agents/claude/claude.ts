import type { AgentAdapter } from "../../agent.ts";
import { createJsonTurns } from "../../json-turns.ts";
import {
  createMessageEventReader,
  hasRefusedTools,
  readResult,
  readSessionId,
} from "../../message-records.ts";
import { configuration } from "./configuration.ts";
import { npmInstallation } from "../../npm-installation.ts";

const TITLE = "Claude Code";
const HEADLESS = [
  "claude",
  "--print",
  "--output-format",
  "stream-json",
  "--verbose",
  "--dangerously-skip-permissions",
];

/** Anthropic's Claude Code. */
export const claude: AgentAdapter = {
  id: "claude",
  title: `${TITLE} (Anthropic)`,
  command: ["claude", "--dangerously-skip-permissions"],
  hosts: [
    { host: "api.anthropic.com", reason: "the model's answers, and the account" },
    { host: "platform.claude.com", reason: "sign-in with a Claude account, and renewing it" },
  ],
  environment: {
    // The sandbox is what bounds it, so it need not ask whether the folder is trusted.
    CLAUDE_CODE_SANDBOXED: "1",
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
    DISABLE_AUTOUPDATER: "1",
    DISABLE_INSTALLATION_CHECKS: "1",
  },
  credentials: ["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN"],
  standaloneWords: ["--version", "--help", "auth", "doctor", "mcp", "config"],
  locations: {
    configuration: [".claude", ".claude.json"],
    signIn: [".claude/.credentials.json"],
    conversations: [".claude/projects"],
  },
  keptSignIn: {
    directory: ".claude",
    files: [".credentials.json"],
    login: ["claude", "auth", "login"],
  },
  modelEndpoint: { kind: "env", variable: "ANTHROPIC_BASE_URL", protocol: "anthropic-messages" },
  install: npmInstallation({
    name: "@anthropic-ai/claude-code",
    version: "2.1.332",
    program: "claude",
    diskBytes: 1_200_000_000,
    versionPattern: /^(\d+\.\d+\.\d+)/,
    files: {
      ".claude.json": '{"hasCompletedOnboarding":true,"bypassPermissionsModeAccepted":true}',
      ".claude/settings.json": '{"skipDangerousModePermissionPrompt":true}',
    },
  }),
  turns: createJsonTurns({
    title: TITLE,
    command: HEADLESS,
    resume: (conversationId) => ["--resume", conversationId],
    commandPrefix: /^\//,
    createEventReader: createMessageEventReader,
    readEnd: readResult,
    readConversationId: readSessionId,
    isToolRefused: hasRefusedTools,
  }),
  configuration,
};
