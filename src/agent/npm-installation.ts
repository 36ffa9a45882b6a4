import type { AgentInstallation } from "./agent.ts";
import { writeFilesScript } from "./settings-files.ts";

/** An agent that its maker publishes in the npm registry. */
export interface NpmPackage {
  name: string;
  /** Tested with this adapter; what is installed when the user names no other. */
  version: string;
  /** Its command, which is also the name of its folder in the home. */
  program: string;
  diskBytes: number;
  /** What `program --version` prints; the first group is the version. */
  versionPattern: RegExp;
  /** Configuration files that make it quiet, by their path in the home. SECURITY: constants, part of a script. */
  files?: Readonly<Record<string, string>>;
}

/** Of the runtime that JavaScript agents get, whichever the machine has: their needs differ from the project's. */
const NODE_MAJOR = 24;

/**
 * Installs the package below `~/.local/lib`, apart from what the project installs, and its command into `~/.local/bin`.
 * Its own install scripts run: in the throw-away sandbox they reach the registry and nothing else. A command that is a
 * script for Node.js is started by a Node.js of its own, that nothing else on the PATH sees.
 */
export function npmInstallation(npm: NpmPackage): AgentInstallation {
  const { name, version, program, diskBytes, versionPattern } = npm;
  return {
    script: installScript(npm),
    version,
    hosts: [{ host: "registry.npmjs.org", reason: `the package ${name}` }],
    needs: ["bash", "node", "npm"],
    diskBytes,
    // A shell only because the path begins with the home directory inside.
    check: ["bash", "-c", `exec "$HOME/.local/bin/${program}" --version`],
    // Some tell it on standard error.
    readVersion: ({ exitCode, stdout, stderr }) =>
      exitCode === 0 ? versionPattern.exec(stdout + stderr)?.[1] : undefined,
    settings: [],
  };
}

/** SECURITY: made of an adapter's constants. The version, which a user may give, is "$1" and never text of it. */
function installScript({ name, program, files = {} }: NpmPackage): string {
  return `set -euo pipefail
lib="$HOME/.local/lib/${program}"
mkdir -p "$lib" "$HOME/.local/bin"
cd "$lib"
export npm_config_cache="$lib/.cache" TMPDIR="$lib"
unset npm_config_prefix
npm install --prefix "$lib" --no-audit --no-fund --no-update-notifier --loglevel=notice "${name}@$1"
entry=$(readlink -f "node_modules/.bin/${program}")
if head -c 200 "$entry" | head -n 1 | grep -aq '^#!.*node'; then
  npm install --prefix "$lib" --no-audit --no-fund --loglevel=notice node@${NODE_MAJOR}
  printf '#!/bin/sh\\nexec "%s" "%s" "$@"\\n' "$lib/node_modules/node/bin/node" "$entry" > "$HOME/.local/bin/${program}"
  chmod 755 "$HOME/.local/bin/${program}"
else
  ln -sf "$entry" "$HOME/.local/bin/${program}"
fi
rm -rf "$lib/.cache"
${writeFilesScript(files)}`;
}
