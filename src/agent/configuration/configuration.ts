import type { ArgumentChange } from "../../protocol/argument-rule.ts";
import type { TemplateAgent, TemplateMcpServer } from "../../protocol/template-file.ts";
import type { Tree } from "./tree.ts";

/** What a template says to one agent. */
export interface WantedConfiguration {
  /** The template's name and title. */
  name: string;
  title: string;
  agent: TemplateAgent;
  steering: readonly { name: string; content: string }[];
  mcpServers: Readonly<Record<string, TemplateMcpServer>>;
}

/** Where the configuration will be read. */
export interface ConfigurationContext {
  /** The home directory inside. */
  home: string;
  /** The workspace's path inside; null for a sandbox without one. */
  workspace: string | null;
  /** Of the installed agent. Absent before it is known: the newest. */
  version?: string;
  /** The same at every start, and known to nobody who wrote the workspace: for names that no file there can take. */
  token: string;
  /** Which of its engines a session chose. */
  engine?: string;
}

/** One thing that a template can say to an agent. */
export type ConfigurationPart =
  | "trust-builtin"
  | "trust-list"
  | "trust-ask"
  | "steering"
  | "prompt"
  | "model"
  | "resources"
  | "hooks"
  | "subagents"
  | "mcp-command"
  | "mcp-url"
  | "mcp-trusted";

/** A file below the home directory. */
export type ConfigurationFile = { path: string } & (
  | { content: string; mode?: number }
  /** A block of a text that others write too; the rest of it stays. */
  | { block: string }
  | SettingsFile
);

/** Values laid over what a settings file holds, table by table; all else in it stays. */
export interface SettingsFile {
  settings: Tree;
  format: "json" | "toml";
  /** What the values are laid over while there is no such file yet. Default: nothing. */
  base?(home: HomeFiles): Tree;
  /** Tables at the top whose entries are replaced as wholes: half of another's server is none. */
  whole?: readonly string[];
  /** Top-level keys that the agent knows; any other is left out. Default: whatever is there. */
  keys?: ReadonlySet<string>;
}

/** Texts by their paths below the home directory. */
export type HomeFiles = ReadonlyMap<string, string>;

export interface CompiledConfiguration {
  files: readonly ConfigurationFile[];
  /** More of the home that a `base` reads: files, or directories with all in them. */
  reads?: readonly string[];
  /** Of every command that starts the agent. */
  arguments?: ArgumentChange;
  /** More options by which a person could say otherwise: they are refused, as those of `arguments` are. */
  fixed?: readonly string[];
  /** What it cannot do at a terminal, going on from "cannot": turns are then all it is used for. Absent: nothing. */
  turnsOnly?: string;
  /** Words that only its interactive command has besides. */
  interactive?: readonly string[];
  environment?: Readonly<Record<string, string>>;
  /** SECURITY: a directory of the workspace in which no file may name the token: one that did would take its place. */
  guarded?: string;
}

/** How an agent is told what a template says. */
export interface AgentConfiguration {
  /** What it can be told. Trust `all` can always be said, since that is how it is run without a template. */
  takes: readonly ConfigurationPart[];
  /**
   * SECURITY: whether the workspace's own configuration can be kept from widening a trust that is not `all`. Where it
   * cannot, such a trust is refused unless the template lets the workspace's configuration count.
   */
  keepsWorkspaceOut: boolean;
  /** Of what it does not take, why: what its program lacks. */
  reasons?: Readonly<Partial<Record<ConfigurationPart, string>>>;
  /** Pure. Throws AGENT_SETTING_UNAVAILABLE for what this version, or the engine that was chosen, cannot be told. */
  compile(wanted: WantedConfiguration, context: ConfigurationContext): CompiledConfiguration;
  /** What of a person's own configuration can be taken along, below their home directory. */
  importable?: ImportablePlaces;
}

export interface ImportablePlaces {
  /** Directories with Markdown files, or such files. */
  steering?: readonly string[];
  /** JSON files, each with the keys that lead to its table of servers. */
  mcp?: readonly { path: string; keys: readonly string[] }[];
}
