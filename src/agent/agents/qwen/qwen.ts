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

const TITLE = "Qwen Code";
const HEADLESS = ["qwen", "--auth-type", "openai", "--output-format", "stream-json", "--yolo"];

/** Alibaba's Qwen Code. */
export const qwen: AgentAdapter = {
  id: "qwen",
  title: `${TITLE} (Alibaba)`,
  command: ["qwen", "--yolo"],
  hosts: [
    { host: "dashscope.aliyuncs.com", reason: "the model's answers (China)" },
    { host: "dashscope-intl.aliyuncs.com", reason: "the model's answers (elsewhere)" },
    { host: "chat.qwen.ai", reason: "sign-in with a Qwen account, and renewing it" },
    { host: "portal.qwen.ai", reason: "the model's answers to a Qwen account" },
  ],
  environment: { QWEN_CODE_SUPPRESS_YOLO_WARNING: "1" },
  credentials: ["OPENAI_API_KEY", "DASHSCOPE_API_KEY"],
  standaloneWords: ["--version", "--help", "mcp", "extensions", "auth"],
  acp: ["--acp", "--yolo"],
  locations: {
    configuration: [".qwen/settings.json"],
    signIn: [".qwen/oauth_creds.json", ".qwen/.env"],
    conversations: [".qwen/projects", ".qwen/tmp"],
  },
  keptSignIn: { directory: ".qwen", files: ["oauth_creds.json", ".env"], login: ["qwen", "auth"] },
  modelEndpoint: { kind: "env", variable: "OPENAI_BASE_URL", protocol: "openai-chat" },
  install: npmInstallation({
    name: "@qwen-code/qwen-code",
    version: "0.24.4",
    program: "qwen",
    diskBytes: 900_000_000,
    versionPattern: /^(\d+\.\d+\.\d+)/,
    files: {
      ".qwen/settings.json": JSON.stringify({
        general: { enableAutoUpdate: false },
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
    createEventReader: createMessageEventReader,
    readEnd: readResult,
    readConversationId: readSessionId,
    isToolRefused: hasRefusedTools,
  }),
  configuration,
};
