/** An agent, and what makes it speak to a scripted model. */
export interface Subject {
  agent: string;
  credential: string;
  /** What makes it speak to the scripted model. */
  variables?: Readonly<Record<string, string>>;
  allow?: readonly string[];
  /** The page on agents of one's own holds its file. */
  own?: true;
  model: string;
  /** Tools by the agent's own names that let it write a file with its shell. Absent: it takes no trust but `all`. */
  trusted?: readonly string[];
  /** What comes with it is a trust of its own: `builtin`. */
  takesBuiltin?: true;
  /** Where its workspace may say nothing it starts no server of tools. */
  needsOpenWorkspace?: true;
  /** Headless it does not offer what it may not use, so that nothing is refused. */
  hidesTools?: true;
}

export const SUBJECTS: readonly Subject[] = [
  {
    agent: "claude",
    credential: "ANTHROPIC_API_KEY",
    model: "api.anthropic.com",
    trusted: ["Bash"],
    takesBuiltin: true,
  },
  { agent: "codex", credential: "CODEX_API_KEY", model: "api.openai.com" },
  {
    agent: "gemini",
    credential: "GEMINI_API_KEY",
    // Without a model's name it asks one model which model to ask.
    variables: { GEMINI_MODEL: "gemini-2.5-pro" },
    model: "generativelanguage.googleapis.com",
    trusted: ["run_shell_command"],
    takesBuiltin: true,
    needsOpenWorkspace: true,
  },
  {
    agent: "opencode",
    credential: "ANTHROPIC_API_KEY",
    model: "api.anthropic.com",
    trusted: ["bash"],
  },
  {
    agent: "copilot",
    credential: "COPILOT_PROVIDER_API_KEY",
    variables: {
      COPILOT_PROVIDER_BASE_URL: "https://api.openai.com/v1",
      COPILOT_PROVIDER_TYPE: "openai",
      COPILOT_MODEL: "gpt-5",
      COPILOT_OFFLINE: "true",
    },
    allow: ["api.openai.com"],
    model: "api.openai.com",
    trusted: ["shell", "write"],
    takesBuiltin: true,
  },
  {
    agent: "qwen",
    credential: "OPENAI_API_KEY",
    variables: {
      OPENAI_BASE_URL: "https://dashscope.aliyuncs.com/compatible-mode/v1",
      OPENAI_MODEL: "qwen3-coder",
    },
    model: "dashscope.aliyuncs.com",
    trusted: ["run_shell_command", "edit", "write_file"],
    takesBuiltin: true,
    needsOpenWorkspace: true,
    hidesTools: true,
  },
  { agent: "pi", credential: "ANTHROPIC_API_KEY", own: true, model: "api.anthropic.com" },
];
