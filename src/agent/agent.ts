import type { ArgumentChange } from "../protocol/argument-rule.ts";
import type { AgentConfiguration } from "./configuration/configuration.ts";

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

/** Exit status of an installer for a file that is not the one it was told to expect. */
export const CHECKSUM_MISMATCH = 86;

export interface AgentInstallation {
  /**
   * SECURITY: a constant script, run by `bash` inside a throw-away sandbox with an empty home and the
   * agent's hosts only; nothing from a user is ever part of it. Its first argument is the version to install, where
   * `version` names one.
   */
  script: string;
  /** The version that is installed when the user asks for no other. Absent: the newest, which only the check tells. */
  version?: string;
  /** Whether the script takes a version although no version is usual. Default: when `version` names one. */
  takesVersion?: true;
  /**
   * Whether the script takes the SHA-256 of what it fetches as its second argument, in hex, and ends with
   * CHECKSUM_MISMATCH before it runs anything of another file. Default: it checks nothing.
   */
  takesChecksum?: true;
  /** What only the installation needs to reach, beside the agent's hosts. */
  hosts?: readonly AgentHost[];
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
  /** The login of an organisation whose directory is known beforehand. */
  loginToDirectory?(directory: IdentityDirectory): readonly string[];
  environment: Readonly<Record<string, string>>;
  watchLogin(): LoginWatcher;
  /** Of a turn that failed: whether it did because the agent's service does not take the sign-in. Absent: never told. */
  isRefused?(turn: FinishedTurn): boolean;
  /** Files below the home directory that a sign-in consists of, for keeping it when a home is made anew. */
  files: readonly string[];
}

/** A sign-in's secrets by name: a file's path, or a row's key. */
export type SignInValues = Readonly<Record<string, string>>;

/** What an agent's sign-in consists of, so that it can be kept outside the sandboxes that use it. */
export interface KeptSignIn {
  /** Below the home directory; a bundle is an archive of it. */
  directory: string;
  /** Plain files, relative to `directory`. The first has to be there. */
  files: readonly string[];
  /** Present: the first file is a SQLite database. */
  database?: SignInDatabase;
  /** Of an agent without `signIn`: where a person signs in. Absent: in the agent itself, which is then left. */
  login?: readonly string[];
}

export interface SignInDatabase {
  /** What a database of this agent has at least: tables, with columns of each. */
  tables: Readonly<Record<string, readonly string[]>>;
  /** Tables that are kept whole: what the agent knows the database's own version by. */
  whole: readonly string[];
  /** All else that is kept: rows with these keys. The values are text. */
  rows: readonly { table: string; key: string; value: string; keys: readonly string[] }[];
  renewal: SignInRenewal;
}

/** How a sign-in that ends by itself is renewed in one place, for all who use it. */
export interface SignInRenewal {
  /** When the agent takes it for over. Undefined: nobody is signed in. */
  expiresAt(values: SignInValues): Date | undefined;
  /** The same, looking as if it had ended: asked who is signed in, the agent then renews it. */
  expire(values: SignInValues): SignInValues;
  /** What a sandbox gets of it: enough to work with, nothing to renew it by. */
  lend(values: SignInValues): SignInValues;
}

/** Where an organisation keeps its people. */
export interface IdentityDirectory {
  /** Address of its sign-in page. */
  startUrl: string;
  region: string;
}

/** What a caller chooses about turns, in the agent's own words. */
export interface TurnOptions {
  /** Which of its engines the agent runs. */
  engine?: string | undefined;
  model?: string | undefined;
  /** The agent's own named configuration: what it may use, and how it behaves. */
  configuration?: string | undefined;
}

/** What is the same for every turn of a session. */
export interface TurnSetup {
  version: string;
  /** Absent: nothing was chosen. */
  options?: TurnOptions;
  /** What a template makes of the agent's own command. */
  arguments?: ArgumentChange;
}

export interface TurnInput extends TurnSetup {
  prompt: string;
  resume: boolean;
  /** The conversation to go on with, where the agent has told its id. */
  conversationId?: string;
}

/** What an agent says and does during a turn, in the words of no particular agent. */
export type AgentEvent =
  | { type: "message-delta"; text: string }
  | { type: "tool-start"; toolCallId: string; name: string; input: unknown }
  | { type: "tool-end"; toolCallId: string; isError: boolean; output: string };

/** Reads the standard output of one turn while it comes. Whatever it does not know, it passes over. */
export interface TurnReader {
  push(bytes: Uint8Array): readonly AgentEvent[];
}

export type TurnJudgement =
  | { outcome: "succeeded"; answer: string }
  /** `isConversationLost`: the agent said that the conversation it was to resume is not there. */
  | { outcome: "failed"; reason: string; answer: string; isConversationLost?: true }
  | { outcome: "unknown"; reason: string; answer: string };

export interface FinishedTurn extends TurnSetup {
  /** null when a signal ended it. */
  exitCode: number | null;
  stdout: Buffer;
  stderr: Buffer;
}

export interface AgentTurns {
  /** Throws PROMPT_IS_COMMAND for a prompt the agent would take for a command of its own. */
  checkPrompt(prompt: string): void;
  /** Throws AGENT_OPTION_UNAVAILABLE for what this version cannot do. Absent: the agent takes no options. */
  checkOptions?(setup: TurnSetup): void;
  /** Whether turns with this set-up can go on with a conversation of an earlier session. Absent: never. */
  canResume?(conversationId: string, setup: TurnSetup): boolean;
  /** `inputBytes`: the prompt, when it is too long for an argument. */
  command(turn: TurnInput): { argv: readonly string[]; inputBytes?: Uint8Array };
  /** Pure: trusts nothing but what the agent's own page states. */
  judge(turn: FinishedTurn): TurnJudgement;
  /**
   * Present: standard output is made for programs, such as JSON Lines; people are shown the events instead.
   * Called once for each turn. Undefined: not with this set-up.
   */
  createReader?(version: string, options?: TurnOptions): TurnReader | undefined;
  /** Tells the id of the conversation, to prove that a resumed turn continued it. */
  conversation?: {
    /** Run after each turn, and tells the newest conversation of the workspace. Absent: the turn's own output tells. */
    command?: readonly string[];
    /** Where the turn's own output tells although there is a command: with this set-up. */
    isTold?(setup: TurnSetup): boolean;
    readId(result: CommandResult): string | undefined;
    /** Whether the command's list has this conversation, wherever in it. Absent: only the newest is on it. */
    lists?(result: CommandResult, conversationId: string): boolean;
  };
  /** A sentence for the user when this version is newer than those the adapter knows. */
  versionNotice(version: string): string | undefined;
}

/** Where an agent keeps its files, relative to the home directory. */
export interface AgentLocations {
  configuration: readonly string[];
  signIn: readonly string[];
  conversations: readonly string[];
}

/** How an agent can be sent to another model than its maker's. */
export type ModelEndpoint =
  | { kind: "none" }
  /** A variable takes the address. */
  | { kind: "env"; variable: string; protocol: ModelProtocol }
  /** A file or an argument of the agent's own takes it. */
  | { kind: "config"; where: string; protocol: ModelProtocol };

export type ModelProtocol =
  | "anthropic-messages"
  | "openai-responses"
  | "openai-chat"
  | "google-generate-content";

/** Everything the engine knows about one coding agent: data, plus the few functions data cannot express. */
export interface AgentAdapter {
  readonly id: string;
  readonly title: string;
  /** The default interactive command; its first word is the program. */
  readonly command: readonly string[];
  /** When no region is chosen. */
  readonly hosts: readonly AgentHost[];
  /** Of a service that has regions: what it needs in each, by the region's name. */
  readonly regions?: Readonly<Record<string, readonly AgentHost[]>>;
  readonly environment: Readonly<Record<string, string>>;
  /** Names of environment variables that are credentials: taken from the caller with `-e NAME` only. */
  readonly credentials: readonly string[];
  /** First words that run alone: no sign-in before, no session after. */
  readonly standaloneWords: readonly string[];
  /** Arguments with which the program speaks the Agent Client Protocol on its streams. Absent: it cannot. */
  readonly acp?: readonly string[];
  readonly locations: AgentLocations;
  readonly modelEndpoint: ModelEndpoint;
  readonly install?: AgentInstallation;
  readonly signIn?: AgentSignIn;
  /** Absent: its sign-in stays in the sandbox where it was made. */
  readonly keptSignIn?: KeptSignIn;
  readonly turns?: AgentTurns;
  /** Absent: a template can say nothing to it, but that it is trusted with everything. */
  readonly configuration?: AgentConfiguration;
}
