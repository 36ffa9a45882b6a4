import { CattlegridError } from "../../../errors/error.ts";
import { sandboxEnvironment } from "../../guest/environment.ts";
import { gitConfiguration } from "../../guest/git-configuration.ts";
import type { SandboxSpecification } from "../../provider.ts";
import { GUEST_PROGRAM } from "./guest-program.ts";
import { quote } from "./start-file.ts";
import { asInput, type Toolbox } from "./toolbox.ts";

/** Of the guest program and its transcripts, which need not outlive a stop. */
const ROOT = "/tmp/.cattlegrid";

/** Where and how programs are started in a sandbox. */
export interface Guest {
  root: string;
  cwd: string;
  home: string;
  environment: Readonly<Record<string, string>>;
}

/** Puts our program and the workspace's directory there. What an earlier engine ran is ended, so that nothing runs twice. */
export async function prepareGuest(
  toolbox: Toolbox,
  specification: SandboxSpecification,
  signal: AbortSignal,
): Promise<Guest> {
  const home = await toolbox.homeDirectory(signal);
  const { workspace, name } = specification;
  const script = [
    "umask 077",
    `root=${quote(ROOT)} workspace=${quote(workspace?.path ?? "")} name=${quote(name)}`,
    PREPARE,
    `base64 -d >"$root/program.new" ${asInput(Buffer.from(GUEST_PROGRAM))}`,
    `mv "$root/program.new" "$root/program"`,
    `base64 -d >"$root/gitconfig" ${asInput(Buffer.from(gitConfiguration(specification)))}`,
    `printf 'path %s\\n' "$PATH"`,
  ].join("\n");
  const { output } = await toolbox.execute(script, signal);
  const words = new Map(
    output.split("\n").map((line): [string, string] => {
      const at = line.indexOf(" ");
      return [line.slice(0, at), line.slice(at + 1)];
    }),
  );
  if (!words.has("path")) {
    const message = `The sandbox could not be prepared: ${output.trim() || "it said nothing"}.`;
    throw new CattlegridError("SANDBOX_START_FAILED", message);
  }
  if (words.has("no-workspace")) throw noWorkspace(workspace?.path ?? "");
  return {
    root: ROOT,
    cwd: workspace?.path ?? home,
    home,
    environment: environmentOf(specification, home, words),
  };
}

/** SECURITY: constant text; directories come as variables that the lines before it set, each between quotes. */
const PREPARE = `mkdir -p "$root/p"
[ -O "$root" ] && [ ! -h "$root" ] || { echo "$root belongs to somebody else"; exit 1; }
for file in "$root"/p/*/leader; do
  [ -e "$file" ] || continue
  leader=$(cat "$file")
  for stat in /proc/[0-9]*/stat; do
    fields=$(cat "$stat" 2>/dev/null) || continue
    pid=\${fields%% *}
    set -- \${fields##*) }
    [ "$4" != "$leader" ] || kill -9 "$pid" 2>/dev/null
  done
done
rm -rf "$root"/p/*
if [ -n "$workspace" ] && ! mkdir -p "$workspace" 2>/dev/null; then
  sudo -n mkdir -p "$workspace" 2>/dev/null && sudo -n chown "$(id -u):$(id -g)" "$workspace"
fi
[ -z "$workspace" ] || [ -w "$workspace" ] || echo "no-workspace "
[ "$(hostname)" = "$name" ] || sudo -n hostname "$name" 2>/dev/null
echo "user $(id -un)"
command -v bash >/dev/null && echo "shell $(command -v bash)"`;

function noWorkspace(path: string): CattlegridError {
  const message = `${path} cannot be made in the sandbox: its user may not write there, and has no sudo.`;
  return new CattlegridError("WORKSPACE_MODE_UNAVAILABLE", message, {
    hint: "Use a snapshot whose user has sudo, as Daytona's own have, or a workspace below /tmp.",
  });
}

function environmentOf(
  specification: SandboxSpecification,
  home: string,
  words: ReadonlyMap<string, string>,
): Readonly<Record<string, string>> {
  return {
    // No gateway is in between, so nothing that the installation's authority signs is met inside.
    ...sandboxEnvironment({
      specification: { ...specification, certificates: [] },
      toolchainPath: [],
      shell: words.get("shell") ?? "/bin/sh",
      account: { user: words.get("user") ?? "root", home },
      systemPath: (words.get("path") ?? "").split(":"),
    }),
    GIT_CONFIG_SYSTEM: `${ROOT}/gitconfig`,
  };
}
