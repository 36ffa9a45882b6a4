/** One agent of `GET /v1/agents`, which answers `{ agents: AgentSummary[] }` in the order to offer them in. */
export interface AgentSummary {
  id: string;
  title: string;
  /** The default interactive command. */
  command: readonly string[];
  /** First words after `--` that run alone: no sign-in before, no session after. */
  standaloneWords: readonly string[];
  /** Names of environment variables that are secrets: taken from the caller's shell only, and never stored. */
  credentials: readonly string[];
  /** Whether `chat` can send it prompts. */
  takesPrompts: boolean;
}
