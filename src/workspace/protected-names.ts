/** A name, relative to the workspace, that a program on the host runs or obeys. `*` stands for one component. */
export interface ProtectedName {
  path: string;
  reason: string;
}

/**
 * SECURITY: what the agent may not change in a workspace it otherwise owns, because the host executes it later,
 * without asking, when a person merely opens the folder, enters it or uses git. What is executed only on
 * request (build files, package scripts, workflows) is for the review of changes, not for this table.
 */
export const PROTECTED_NAMES: readonly ProtectedName[] = [
  { path: ".envrc", reason: "direnv runs it on entering the directory" },
  { path: ".mise.toml", reason: "mise runs its hooks on entering the directory" },
  { path: "mise.toml", reason: "mise runs its hooks on entering the directory" },
  { path: ".npmrc", reason: "names the registry and the shell that npm uses" },
  { path: ".yarnrc", reason: "names the program that yarn runs as itself" },
  { path: ".yarnrc.yml", reason: "names the program that yarn runs as itself" },
  { path: ".husky", reason: "git hooks of the project" },
  { path: ".githooks", reason: "git hooks of the project" },
  { path: ".exrc", reason: "vi runs it on opening a file" },
  { path: ".nvimrc", reason: "neovim runs it on opening a file" },
  { path: ".nvim.lua", reason: "neovim runs it on opening a file" },
  { path: ".dir-locals.el", reason: "emacs evaluates it on opening a file" },
  { path: ".vscode/tasks.json", reason: "tasks run on opening the folder" },
  { path: ".vscode/settings.json", reason: "names programs that the editor runs" },
  { path: ".vscode/launch.json", reason: "names programs that the debugger runs" },
  { path: ".vscode/mcp.json", reason: "names servers that the editor starts" },
  { path: ".devcontainer", reason: "commands that the editor runs on the host" },
  { path: ".devcontainer.json", reason: "commands that the editor runs on the host" },
  { path: "*.code-workspace", reason: "settings and tasks of the editor" },
  { path: ".idea", reason: "run configurations and file watchers of the editor" },
  { path: ".run", reason: "run configurations of the editor" },
  { path: ".zed", reason: "settings and tasks of the editor" },
  { path: ".cursor", reason: "servers and rules of an agent on the host" },
  { path: ".windsurf", reason: "servers and rules of an agent on the host" },
  { path: ".mcp.json", reason: "names servers that agents on the host start" },
  { path: ".kiro/settings", reason: "names servers that an agent on the host starts" },
  { path: ".kiro/hooks", reason: "commands that an agent on the host runs" },
  { path: ".kiro/agents", reason: "trust and commands of an agent on the host" },
  { path: ".amazonq", reason: "servers and agents of an agent on the host" },
  { path: ".claude", reason: "settings and hooks of an agent on the host" },
  { path: ".codex", reason: "settings of an agent on the host" },
  { path: ".gemini", reason: "settings of an agent on the host" },
];

/** The same of a git directory, relative to it: `.git`, a submodule's or a bare repository. */
export const PROTECTED_GIT_NAMES: readonly ProtectedName[] = [
  { path: "hooks", reason: "git runs them" },
  { path: "config", reason: "names programs that git runs" },
  { path: "config.worktree", reason: "names programs that git runs" },
  { path: "commondir", reason: "says where git finds its configuration" },
  { path: "worktrees/*/commondir", reason: "says where git finds its configuration" },
  { path: "worktrees/*/gitdir", reason: "says where a working tree lies" },
  { path: "worktrees/*/config.worktree", reason: "names programs that git runs" },
  { path: "objects/info/alternates", reason: "says where else git reads objects" },
];
