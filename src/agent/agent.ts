/** A host an agent needs, with the reason a reviewer reads. */
export interface AgentHost {
  /** Exact name, `*.name` or `**.name`. */
  host: string;
  /** Default 443. */
  port?: number;
  reason: string;
}

/** What one finished process gave back. */
export interface CommandResult {
  exitCode: number;
  stdout: string;
  stderr: string;
}

export interface AgentInstallation {
  /**
   * SECURITY: a constant script, run by `bash` inside a throw-away sandbox with an empty home and the
   * agent's hosts only; nothing from a user is ever part of it.
   */
  script: string;
  /** Programs the script needs inside. */
  needs: readonly string[];
  /** Free bytes wanted on the state's disk before it starts. */
  diskBytes: number;
  /** Run by full path; the installation counts only when this succeeds. */
  check: readonly string[];
  /** Version text from the check's output; undefined when it is not what the agent prints. */
  readVersion(result: CommandResult): string | undefined;
  /** Commands that make the agent quiet before it first starts; part of the layer. */
  settings: readonly (readonly string[])[];
}

/** Watches a login's terminal bytes for the code a person must approve. */
export interface LoginWatcher {
  /** Returns the code, and the address once known or composable, each time either is new. */
  push(bytes: Uint8Array): { code: string; url: string | null } | undefined;
}

export interface AgentSignIn {
  whoami: readonly string[];
  /** The truth of "is this sandbox signed in": undefined means no. */
  readAccount(result: CommandResult): string | undefined;
  login: readonly string[];
  environment: Readonly<Record<string, string>>;
  watchLogin(): LoginWatcher;
}

export interface TurnInput {
  prompt: string;
  resume: boolean;
  version: string;
}

export type TurnJudgement =
  | { outcome: "succeeded"; answer: string }
  | { outcome: "failed"; reason: string; answer: string }
  | { outcome: "unknown"; reason: string; answer: string };

export interface FinishedTurn {
  /** null when a signal ended it. */
  exitCode: number | null;
  stdout: Buffer;
  stderr: Buffer;
  version: string;
}

export interface AgentTurns {
  /** Throws PROMPT_IS_COMMAND for a prompt the agent would take for a command of its own. */
  checkPrompt(prompt: string): void;
  /** `inputBytes`: the prompt, when it is too long for an argument. */
  command(turn: TurnInput): { argv: readonly string[]; inputBytes?: Uint8Array };
  /** Pure: trusts nothing but what the agent's own page states. */
  judge(turn: FinishedTurn): TurnJudgement;
  /** Reads the newest conversation of the workspace, to prove that a resumed turn continued it. */
  conversation?: {
    command: readonly string[];
    readId(result: CommandResult): string | undefined;
  };
  /** A sentence for the user when this version is newer than those the adapter knows. */
  versionNotice(version: string): string | undefined;
}

/** Everything the engine knows about one coding agent: data, plus the few functions data cannot express. */
export interface AgentAdapter {
  readonly id: string;
  readonly title: string;
  /** The default interactive command; its first word is the program. */
  readonly command: readonly string[];
  readonly hosts: readonly AgentHost[];
  readonly environment: Readonly<Record<string, string>>;
  /** Names of environment variables that are credentials: taken from the caller with `-e NAME` only. */
  readonly credentials: readonly string[];
  /** First words that run alone: no sign-in before, no session after. */
  readonly standaloneWords: readonly string[];
  readonly install?: AgentInstallation;
  readonly signIn?: AgentSignIn;
  readonly turns?: AgentTurns;
}
