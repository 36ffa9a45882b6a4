import type { AgentInstallation } from "../../agent.ts";
import { readVersion } from "./versions.ts";

/** The zip has 440 to 540 MB and unpacks to about 1 GB; both lie on the disk at once, with room to spare. */
const DISK_BYTES = 2_500_000_000;

/**
 * SECURITY: constant. It runs what Kiro's site serves, which is why it runs in a throw-away sandbox that reaches
 * nothing but Kiro's hosts. Its exit status proves nothing either way; `pipefail` only makes a failed download
 * visible in what is shown when the check fails. Its work folder lies in the home, thus on the disk that was checked:
 * /tmp is memory, and too small for it on a small machine.
 */
const SCRIPT = `set -o pipefail
export TMPDIR="$HOME/.install"
mkdir -p "$TMPDIR"
trap 'rm -rf "$TMPDIR"' EXIT
curl -fsSL https://cli.kiro.dev/install | bash
`;

export const installation: AgentInstallation = {
  script: SCRIPT,
  needs: ["bash", "curl", "unzip"],
  diskBytes: DISK_BYTES,
  // A shell only because the path begins with the home directory inside.
  check: ["bash", "-c", 'exec "$HOME/.local/bin/kiro-cli" --version'],
  readVersion: ({ exitCode, stdout }) => (exitCode === 0 ? readVersion(stdout) : undefined),
  settings: [
    ["chat.disableTrustAllConfirmation", "true"],
    ["app.disableAutoupdates", "true"],
    ["chat.enableAutoAgentUpgrade", "false"],
    ["telemetry.enabled", "false"],
  ].map(([name = "", value = ""]) => ["kiro-cli", "settings", name, value]),
};
