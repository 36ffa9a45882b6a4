import type { AgentAdapter } from "../agent/agent.ts";
import { claude } from "../agent/agents/claude/claude.ts";
import { codex } from "../agent/agents/codex/codex.ts";
import { copilot } from "../agent/agents/copilot/copilot.ts";
import { gemini } from "../agent/agents/gemini/gemini.ts";
import { kiro } from "../agent/agents/kiro/kiro.ts";
import { opencode } from "../agent/agents/opencode/opencode.ts";
import { qwen } from "../agent/agents/qwen/qwen.ts";
import { shell } from "../agent/agents/shell/shell.ts";

/** In the order in which a person is offered them. */
export const AGENTS: readonly AgentAdapter[] = [
  kiro,
  claude,
  codex,
  copilot,
  gemini,
  opencode,
  qwen,
  shell,
];
