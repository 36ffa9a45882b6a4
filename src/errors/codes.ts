import { BACKEND_CODES } from "./backend-codes.ts";
import { CHANGE_CODES } from "./change-codes.ts";
import { define, internal, provider, user } from "./definition.ts";
import { TEMPLATE_CODES } from "./template-codes.ts";

export type { ErrorDefinition, Fault } from "./definition.ts";

/** Every code the product can show. Codes are stable: scripts match on them. */
export const ERROR_CODES = define({
  // The machine
  ISOLATION_UNAVAILABLE: provider(
    503,
    "Run `cattlegrid doctor`: it names what is missing and the command that adds it.",
  ),
  RUNTIME_MISSING: provider(503, "Install an OCI runtime: `sudo apt-get install crun`."),
  DEPENDENCY_MISSING: provider(
    503,
    "Run `cattlegrid doctor`: it prints the command that installs it.",
  ),
  DISK_FULL: provider(507, "Free disk space, or move the state with CATTLEGRID_HOME."),
  FILE_SYSTEM_UNSUITABLE: provider(
    503,
    "Point CATTLEGRID_HOME at a local disk (ext4, xfs or btrfs).",
  ),
  ...BACKEND_CODES,
  LIMITS_UNAVAILABLE: provider(
    503,
    "Run where a cgroup is writable, or leave out --cpus and --memory.",
  ),

  // State and daemon
  STATE_NOT_OURS: user(409, "Choose an empty or absent directory for CATTLEGRID_HOME."),
  STATE_TOO_NEW: user(
    409,
    "Use the newer Cattlegrid that wrote this state, or another CATTLEGRID_HOME.",
  ),
  STATE_LOCKED: user(
    409,
    "Another daemon uses this state directory; stop it with `cattlegrid daemon stop`.",
  ),
  STATE_CORRUPT: provider(
    500,
    "Move the state directory aside, or remove it all with `cattlegrid reset`, then try again.",
  ),
  RUNTIME_DIRECTORY_UNSAFE: user(
    409,
    "Remove that directory, or set XDG_RUNTIME_DIR to one that only you can enter.",
  ),
  DAEMON_UNREACHABLE: provider(
    503,
    "Try again; `cattlegrid daemon start --foreground` shows why it does not start.",
  ),
  DAEMON_VERSION_MISMATCH: user(
    409,
    "Stop the old daemon with `cattlegrid daemon stop`, then try again.",
  ),
  SOCKET_PATH_TOO_LONG: user(400, "Set XDG_RUNTIME_DIR to a shorter path."),

  // Requests
  REQUEST_INVALID: user(400, "See `cattlegrid <verb> --help`."),
  USAGE: user(400, "See `cattlegrid --help`."),
  NOT_AUTHORISED: user(403, "Ask the owner of this object."),
  NAME_INVALID: user(
    400,
    "Use 2 to 63 letters, digits, hyphens and periods, starting with a letter or digit.",
  ),
  NAME_IN_USE: user(
    409,
    "Choose another --name, or remove the other sandbox with `cattlegrid rm NAME`.",
  ),
  CONFIG_INVALID: user(400, "Correct the file at the line shown."),
  ENVIRONMENT_INVALID: user(400, "Pass -e NAME or -e NAME=VALUE."),

  // Sandboxes
  SANDBOX_NOT_FOUND: user(404, "List sandboxes with `cattlegrid ls`."),
  SANDBOX_NOT_RUNNING: user(409, "Start it with `cattlegrid start NAME`."),
  SANDBOX_BUSY: user(409, "Wait for the other operation on this sandbox to end."),
  SANDBOX_START_FAILED: provider(500, "Run `cattlegrid doctor`."),
  SANDBOX_LOST: provider(
    410,
    "Start it again with `cattlegrid start NAME`; home, sign-in and workspace are kept.",
  ),
  SANDBOX_EXPIRED: user(409, "Make it anew with `cattlegrid recreate NAME --keep-login`."),
  PROVIDER_UNKNOWN: user(400, "Use --provider local."),
  PROVIDER_ABSENT: user(
    409,
    "Use the version of Cattlegrid, or the program, that made it; nothing of it was touched.",
  ),
  PROVIDER_UNSUPPORTED: user(400, "Choose a provider that has this capability."),

  // Workspaces
  WORKSPACE_MISSING: user(400, "Create the directory, or name another one."),
  WORKSPACE_FORBIDDEN: user(
    400,
    "Name a project directory, not a system directory, the home directory or Cattlegrid's own state.",
  ),
  WORKSPACE_MODE_UNAVAILABLE: user(400, "Choose another --mode."),

  WORKSPACE_NOT_CLONABLE: user(
    400,
    "Name the top of a git working tree that has a commit, or use another --mode.",
  ),
  CLONE_BRANCH_CHANGED: user(
    409,
    "Rename or delete that branch (`git branch -m` or `-d`), leave it where it is checked out, or choose another --name.",
  ),
  CLONE_OWNER_SHUT_OUT: user(
    409,
    "Let that account into the directories above its repository (`chmod o+x`), or make the repository yours (`chown -R`).",
  ),
  CLONE_WORK_INVALID: user(
    409,
    "Look at the clone inside: `cattlegrid exec NAME -- git fsck`. Nothing was taken over.",
  ),
  QUARANTINE_NOT_FOUND: user(404, "List what is there with `cattlegrid quarantine`."),
  QUARANTINE_PLACE_TAKEN: user(409, "Move what is there aside, then restore again."),
  GIT_FAILED: provider(500, "Check the repository with `git fsck`."),

  // Changes of a workspace
  CHANGE_NOT_FOUND: user(404, "List what has changed with `cattlegrid diff NAME`."),
  CHANGE_STALE: user(409, "Look at it again with `cattlegrid diff NAME`, then repeat."),

  // Processes and terminals
  COMMAND_NOT_FOUND: user(404, "Check the program's name and the PATH inside the sandbox.", 127),
  COMMAND_NOT_EXECUTABLE: user(400, "Make the file executable inside the sandbox.", 126),
  COMMAND_ARGUMENT_TOO_LONG: user(
    400,
    "Pass the text through standard input: one argument holds 128 KiB at most.",
  ),
  DIRECTORY_MISSING: user(400, "Name a directory that exists inside the sandbox."),
  TERMINAL_NOT_FOUND: user(
    404,
    "The terminal has ended; list sessions with `cattlegrid inspect NAME`.",
  ),
  TERMINAL_OFFSET_GONE: user(410, "Attach from a later offset."),
  RECORDING_NOT_FOUND: user(404, "List them with `cattlegrid logs NAME --recordings`."),
  TERMINAL_READ_ONLY: user(403, "Attach without --read-only to type."),
  TERMINAL_LOST: provider(
    410,
    "The daemon restarted while this terminal was open. Start the session again.",
  ),

  // Ports
  PORT_TAKEN: user(409, "Choose another port of this machine, or leave it out: `:PORT`."),
  PORT_CLOSED: user(409, "Start what is to listen, on 127.0.0.1 or ::1 inside the sandbox."),
  PORT_NOT_PUBLISHED: user(404, "List what is published with `cattlegrid ports NAME`."),

  // Copies
  COPY_SOURCE: user(404, "Name a file or directory that exists; no link is followed."),
  COPY_TARGET: user(409, "Name an existing directory, or a new name in one."),
  COPY_TOO_LARGE: user(413, "Copy less, or raise the limit with --max-size or --max-files."),
  COPY_REFUSED: user(
    422,
    "What was sent, or a link on the way, leads out of the copy: look at the sandbox before you trust it.",
  ),
  COPY_FAILED: provider(500, "Read the reason above; what was there before is untouched."),

  // Sessions, agents, turns
  AGENT_UNKNOWN: user(400, "Run `cattlegrid run` on a terminal to choose from the list of agents."),
  AGENT_FILE_INVALID: user(400, "See docs/agents/own.md for what an agent's file holds."),
  AGENT_VERSION_UNAVAILABLE: user(400, "Leave the version out."),
  AGENT_INSTALL_FAILED: provider(
    502,
    "Read the installer's output above; check that its hosts are reachable.",
  ),
  AGENT_CHECKSUM_MISMATCH: provider(
    502,
    "Find out why the file changed; then correct `checksum` in the template, and with it `version`.",
  ),
  AGENT_NOT_SIGNED_IN: user(
    401,
    "Sign in with `cattlegrid login AGENT`, or pass the agent's key with -e NAME.",
    121,
  ),
  AGENT_LOGIN_FAILED: user(401, "Run the command again and approve the code in the browser.", 121),
  SIGN_IN_INVALID: user(
    422,
    "Sign in on the machine it comes from, then make the bundle anew: `tar -c . | zstd` in the sign-in's directory.",
  ),
  SIGN_IN_EXPIRED: user(
    422,
    "Sign in anew where the bundle was made, or here with `cattlegrid login AGENT`.",
  ),
  SIGN_IN_FOREIGN: user(403, "Sign in yourself with `cattlegrid login AGENT`."),
  SIGN_IN_TOO_NEW: user(
    409,
    "Use the newer Cattlegrid that kept it, or sign in anew with `cattlegrid login AGENT`.",
  ),
  SIGN_IN_RENEWAL_FAILED: provider(
    502,
    "Check that the agent's sign-in hosts are reachable, then try again.",
  ),
  LOGIN_PROFILE_NOT_FOUND: user(
    404,
    "`cattlegrid login --status` lists the profiles; `cattlegrid login AGENT` makes one.",
  ),
  BUNDLE_INVALID: user(
    422,
    "Make it anew: `tar -c . | zstd` in the sign-in's directory, with plain files alone.",
  ),
  BUNDLE_TOO_LARGE: user(
    413,
    "Leave out of it what is not the sign-in, such as unpacked runtimes.",
  ),
  AGENT_RESUME_LOST: provider(409, "The conversation is gone from the sandbox; start a new chat."),
  AGENT_OPTION_UNAVAILABLE: user(400, "See the agent's page under docs/agents for what it offers."),
  AGENT_SETTING_UNAVAILABLE: user(
    422,
    "`cattlegrid agents show AGENT` lists what each agent can be told; leave the rest out of the template.",
  ),
  AGENT_CONFIGURATION_FAILED: provider(
    500,
    "Make the sandbox anew with `cattlegrid recreate`; its home directory does not take what the template says.",
  ),
  WORKSPACE_OVERRIDES_TEMPLATE: user(
    403,
    "Remove the file that is named; only a template with `workspaceConfiguration: true` lets the workspace's own count.",
  ),
  AGENT_REGION_UNKNOWN: user(400, "See the agent's page under docs/agents for its regions."),
  AGENT_COMMAND_INVALID: user(400, "See the agent's page under docs/agents."),
  SESSION_NOT_FOUND: user(404, "List sessions with `cattlegrid inspect NAME`."),
  SESSION_ENDED: user(409, "Start a new session with `cattlegrid run`."),
  TURN_IN_PROGRESS: user(409, "Wait for the turn to end, or cancel it."),
  PROMPT_INVALID: user(400, "Send the prompt as valid UTF-8 text."),
  PROMPT_IS_COMMAND: user(
    400,
    "Start the prompt with another character, or send it on purpose with --slash.",
  ),
  PROMPT_EMPTY: user(400, "Give a prompt with --prompt, or on standard input."),
  TIMED_OUT: provider(504, "Raise the deadline with its flag.", 124),
  INTERRUPTED: user(499, "Run the command again.", 130),

  // The vault and what is bound to agents
  VAULT_TOO_NEW: user(
    409,
    "Use the newer Cattlegrid that wrote this vault, or another CATTLEGRID_HOME.",
  ),
  VAULT_CORRUPT: provider(
    500,
    "Put the file back from a backup, or remove it with `cattlegrid secret rm NAME` and give the value anew.",
  ),
  VAULT_KEY_LOST: provider(
    500,
    "Put the key back (docs/secrets.md says where it lies), or remove what it sealed with `cattlegrid secret rm` and give the values anew.",
  ),
  VAULT_KEY_UNAVAILABLE: provider(
    503,
    "Unlock the keyring by logging in to the desktop, then try again; docs/secrets.md has the other ways.",
  ),
  SECRET_INVALID: user(400, "docs/secrets.md says what names and values can be."),
  SECRET_NOT_FOUND: user(404, "List secrets with `cattlegrid secret ls`."),
  SECRET_UNRESOLVED: user(
    409,
    "Use `cattlegrid`, which follows references in the shell that calls it, or send the values with the request.",
  ),

  ...CHANGE_CODES,
  ...TEMPLATE_CODES,

  // Egress
  POLICY_INVALID: user(400, "Correct the policy at the file and line shown."),
  POLICY_UNKNOWN: user(400, "Use locked, agent, dev, open, or the path of a policy file."),
  POLICY_RULE_UNKNOWN: user(404, "`cattlegrid policy show NAME` lists the rules and their ids."),
  POLICY_RULE_FIXED: user(403, "Only whoever writes that policy can change it; ask them."),
  POLICY_BEYOND_CEILING: user(403, "Only whoever writes the policy above can allow it; ask them."),
  MIRROR_INVALID: user(400, "Write CATTLEGRID_MIRRORS as `name:port=address:port,…`."),
  UPSTREAM_INVALID: user(
    409,
    "Correct the file; nothing leaves a sandbox until it can be read. docs/egress.md shows its form.",
  ),
  AUTHORITY_INVALID: user(
    409,
    "Remove the file and start the sandbox again: a new authority is made, and every later start trusts it.",
  ),
  EGRESS_UNAVAILABLE: provider(
    503,
    "Run `cattlegrid doctor`; the sandbox does not run without its gateway.",
  ),

  INTERNAL: internal(500, "This is a bug of ours. Please report it with the daemon's log."),
});

export type ErrorCode = keyof typeof ERROR_CODES;
