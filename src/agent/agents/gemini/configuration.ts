import { stringify as stringifyToml } from "smol-toml";
import {
  createJsonSettings,
  type HeldTrust,
  type TrustToHold,
} from "../../configuration/json-settings.ts";
import type { ConfigurationContext } from "../../configuration/configuration.ts";
import type { Tree } from "../../configuration/tree.ts";

const POLICY = ".gemini/template-policy.toml";
/** What it may do unasked under any trust, as by its own rules: looking, and keeping its own notes. */
const HARMLESS = [
  "cli_help",
  "codebase_investigator",
  "complete_task",
  "get_internal_docs",
  "glob",
  "grep_search",
  "invoke_agent",
  "list_directory",
  "read_file",
  "read_many_files",
  "tracker_*",
  "update_topic",
  "write_todos",
];

export const configuration = createJsonSettings({
  title: "Gemini CLI",
  instructions: ".gemini/GEMINI.md",
  settings: ".gemini/settings.json",
  // `--skip-trust` comes too late for a project's settings, which have been left out by then.
  open: { GEMINI_CLI_TRUST_WORKSPACE: "true" },
  hold,
});

/**
 * By rules of an administrator, which come before all others, those of `--yolo` included. SECURITY: where the folder is
 * not trusted, a project's settings, hooks, variables, servers and commands are not read. Asked whether it is, headless it
 * would end; with that question switched off, the variable alone says so.
 */
function hold(wanted: TrustToHold, { home }: ConfigurationContext): HeldTrust {
  const { isOpen } = wanted;
  const content = `${stringifyToml({ rule: listRules(wanted) })}\n`;
  return {
    files: [{ path: POLICY, content }],
    arguments: {
      without: ["--yolo", ...(isOpen ? [] : ["--skip-trust"])],
      // The one that takes several values does not stand last: it would take what a person adds for one more.
      with: [`--admin-policy=${home}/${POLICY}`, "--approval-mode=default"],
    },
    settings: isOpen ? {} : { security: { folderTrust: { enabled: false } } },
    environment: isOpen ? {} : { GEMINI_CLI_TRUST_WORKSPACE: "false" },
    fixed: [
      "--yolo",
      "-y",
      "--policy",
      "--allowed-tools",
      "--skip-trust",
      "--sandbox",
      "-s",
      "--extensions",
      "-e",
    ],
  };
}

/** The higher priority wins. Whatever a later version brings is asked about. */
function listRules({ trust, trusted }: TrustToHold): Tree[] {
  const allowed = typeof trust === "string" ? [] : trust.map(describeTool);
  return [
    { toolName: "*", decision: "ask_user", priority: 1 },
    { toolName: HARMLESS, decision: "allow", priority: 100 },
    { toolName: "ask_user", decision: "allow", priority: 100, interactive: true },
    ...(trust === "builtin" ? TRUST_BUILT_IN : []),
    ...allowed.map((rule) => ({ ...rule, decision: "allow", priority: 400 })),
    ...trusted.map(({ server, tool }) => ({
      mcpName: server,
      toolName: tool,
      decision: "allow",
      priority: 500,
    })),
  ];
}

/** All but what servers and a project's own command bring. */
const TRUST_BUILT_IN: readonly Tree[] = [
  { toolName: "*", decision: "allow", allowRedirection: true, priority: 200 },
  ...["mcp_*", "discovered_tool_*"].map((toolName) => ({
    toolName,
    decision: "ask_user",
    priority: 300,
  })),
];

/** A tool's name, or `run_shell_command(BEGINNING)`. */
function describeTool(text: string): Tree {
  const [, prefix] = /^run_shell_command\((.+)\)$/s.exec(text) ?? [];
  if (prefix !== undefined) return { toolName: "run_shell_command", commandPrefix: prefix };
  return { toolName: text, ...(text === "run_shell_command" ? { allowRedirection: true } : {}) };
}
