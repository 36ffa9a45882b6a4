import { CHECKSUM_MISMATCH, type AgentInstallation } from "../../agent.ts";
import { readVersion } from "./versions.ts";

/** The zip has 440 to 540 MB and unpacks to about 1 GB; both lie on the disk at once, with room to spare. */
const DISK_BYTES = 2_500_000_000;

/** Where the files of each version lie, for whoever wants one and no other. */
const VERSIONS = "https://prod.download.cli.kiro.dev/stable";

/**
 * SECURITY: constant. It runs what Kiro's site serves, which is why it runs in a throw-away sandbox that reaches
 * nothing but Kiro's hosts. Its exit status proves nothing either way; `pipefail` only makes a failed download
 * visible in what is shown when the check fails. Its work folder lies in the home, thus on the disk that was checked:
 * /tmp is memory, and too small for it on a small machine. A version ($1) or a checksum ($2) that is wanted is of one file,
 * which is fetched as Kiro documents it for hand, and unpacked only when it is that file.
 */
const SCRIPT = `set -o pipefail
export TMPDIR="$HOME/.install"
mkdir -p "$TMPDIR"
trap 'rm -rf "$TMPDIR"' EXIT
version=\${1-} checksum=\${2-}
if [ -z "$version$checksum" ]; then
  curl -fsSL https://cli.kiro.dev/install | bash
  exit
fi
machine=$(uname -m)
[ "$machine" = aarch64 ] && wanted=39 || wanted=34
found=$(ldd --version 2>&1 | head -n 1 | grep -oE '2\\.[0-9]+' | tail -n 1)
[ "\${found#2.}" -ge "$wanted" ] 2>/dev/null && libc= || libc=-musl
file=kirocli-$machine-linux$libc.zip
cd "$TMPDIR"
curl -fsSL "${VERSIONS}/\${version:-latest}/$file" -o "$file" || exit
if [ -n "$checksum" ]; then
  echo "$checksum  $file" | sha256sum -c --quiet - || { echo "$file has $(sha256sum "$file")"; exit ${CHECKSUM_MISMATCH}; }
fi
unzip -q "$file" && rm -f "$file" && bash kirocli/install.sh --no-confirm --force
`;

export const installation: AgentInstallation = {
  script: SCRIPT,
  takesVersion: true,
  takesChecksum: true,
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
