import {
  createJsonSettings,
  type HeldTrust,
  type TrustToHold,
} from "../../configuration/json-settings.ts";
import type { ConfigurationContext } from "../../configuration/configuration.ts";
import { settingUnavailable } from "../../configuration/refusal.ts";

const TITLE = "Qwen Code";
const TRUSTED_FOLDERS = ".qwen/trustedFolders.json";
/** Those that come with it and are asked about otherwise. */
const BUILT_IN = [
  "agent",
  "edit",
  "monitor",
  "notebook_edit",
  "run_shell_command",
  "skill",
  "web_fetch",
  "write_file",
];

export const configuration = createJsonSettings({
  title: TITLE,
  instructions: ".qwen/QWEN.md",
  settings: ".qwen/settings.json",
  hold,
});

/**
 * By options, since permissions of all settings files add up. SECURITY: in a folder that is not trusted a project's settings,
 * hooks, variables, servers and commands are not read, nor is any other mode of approval taken.
 */
function hold({ trust, isOpen, trusted }: TrustToHold, { home }: ConfigurationContext): HeldTrust {
  const listed = typeof trust === "string" ? [] : trust.map(checkName);
  const tools = [
    ...(trust === "builtin" ? BUILT_IN : listed),
    ...trusted.map(({ server, tool }) => `mcp__${server}__${tool}`),
  ];
  return {
    files: isOpen ? [] : [{ path: TRUSTED_FOLDERS, content: '{ "/": "DO_NOT_TRUST" }\n' }],
    settings: {
      security: { folderTrust: { enabled: !isOpen } },
      permissions: { allow: [] },
      tools: { allowed: [], core: [], approvalMode: "default" },
    },
    arguments: {
      without: ["--yolo"],
      // The one that takes several values does not stand last: it would take what a person adds for one more.
      with: [...tools.map((tool) => `--allowed-tools=${tool}`), "--approval-mode=default"],
    },
    environment: isOpen ? {} : { QWEN_CODE_TRUSTED_FOLDERS_PATH: `${home}/${TRUSTED_FOLDERS}` },
    fixed: [
      "--yolo",
      "-y",
      "--allowed-tools",
      "--core-tools",
      "--mcp-config",
      "--extensions",
      "-e",
    ],
  };
}

/** Headless it offers a tool as a whole or not at all, and takes a comma for the end of a name. */
function checkName(name: string): string {
  if (/^[A-Za-z0-9_*-]+$/.test(name)) return name;
  throw settingUnavailable(TITLE, `trust a tool for some uses only, as \`${name}\` says`, {
    hint: "Write the tool's name alone, such as run_shell_command.",
  });
}
