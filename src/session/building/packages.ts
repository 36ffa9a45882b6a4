import { CattlegridError } from "../../errors/error.ts";
import type { ResolvedTemplate } from "../../protocol/template.ts";
import type { BuildStep, StepFailure } from "./step.ts";

const TIMEOUT_MS = 30 * 60_000;
const COMMON = { environment: {}, root: false, timeoutMs: TIMEOUT_MS, inputs: {} };
/** Exit status of a script that found a program missing, or packages that the base does not have. */
const LACKING = 90;
/** Of Debian: letters, digits and `+-.`; a version or architecture may follow. */
const APT_NAME = /^[a-z0-9][a-z0-9+.-]*([:=][A-Za-z0-9.+:~-]+)*$/;

/** What apt says of packages that no source has, and of sources whose signature does not hold; in the C locale. */
const UNKNOWN =
  /^E: (?:Unable to locate package (\S+)|Version '[^']*' for '([^']+)' was not found|Package '([^']+)' has no installation candidate)/gm;
const MISTRUSTED =
  /^[EW]: .*(?:NO_PUBKEY|signatures? (?:were|was|is|are) invalid|BADSIG|EXPKEYSIG)/m;
/** Also said of a source that could not be had at all. */
const UNSIGNED = /^[EW]: .* is not signed/m;
const UNREACHED = /^E: Failed to fetch /m;

/**
 * SECURITY: constant texts; names are arguments. What a package left on the machine says that it is there: its documentation,
 * which every one has, or a program of its name.
 */
const CHECK_SCRIPT = `
for name in "$@"; do
  plain=\${name%%[:=]*}
  if [ "$name" = "$plain" ]; then
    if [ -e "/usr/share/doc/$plain" ] || command -v -- "$plain" >/dev/null; then continue; fi
  fi
  echo "lacking $name"; lacking=1
done
[ -z "$lacking" ] || exit ${LACKING}
echo "all there: $*"
`;

const INSTALL_SCRIPT = `set -e
command -v apt-get >/dev/null || { echo "lacking apt-get"; exit ${LACKING}; }
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
# The gateway alone decides what is reached, so apt needs no user of its own for that.
apt() {
  apt-get -q -o APT::Sandbox::User=root -o Acquire::AllowInsecureRepositories=false \\
    -o Acquire::Retries::Delay::Maximum=1 "$@"
}
# A source that cannot be had is no reason to install what an older list of it says.
apt -o APT::Update::Error-Mode=any update
apt -y -o APT::Get::AllowUnauthenticated=false install --no-install-recommends -- "$@"
apt-get clean
rm -rf /var/lib/apt/lists/*
`;

/** By themselves both try again for long, which is what a host that the policy refuses would cost. */
const NPM_SCRIPT = `
command -v npm >/dev/null || { echo "lacking npm"; exit ${LACKING}; }
exec npm install --global --no-audit --no-fund --no-update-notifier \\
  --fetch-retry-mintimeout=1000 --fetch-retry-maxtimeout=4000 -- "$@"
`;

const PIP_SCRIPT = `
command -v python3 >/dev/null || { echo "lacking python3"; exit ${LACKING}; }
exec python3 -m pip install --user --no-input --disable-pip-version-check \\
  --retries 3 --no-warn-script-location -- "$@"
`;

/** apt's, then npm's and pip's, into the home directory, where both find what they install. */
export function planPackages({
  packages,
  base,
}: Pick<ResolvedTemplate, "packages" | "base">): readonly BuildStep[] {
  const { apt, npm, pip } = packages;
  return [
    ...(apt.length === 0 ? [] : [planApt(apt, base === "host")]),
    ...(npm.length === 0 ? [] : [planInstaller("npm", NPM_SCRIPT, npm)]),
    ...(pip.length === 0 ? [] : [planInstaller("pip", PIP_SCRIPT, pip)]),
  ];
}

/** On the host's own files nothing can be installed: there a package counts as long as the host has it. */
function planApt(names: readonly string[], isHost: boolean): BuildStep {
  const wrong = names.find((name) => !APT_NAME.test(name));
  if (wrong !== undefined) {
    const message = `${JSON.stringify(wrong)} is no name of a package of apt.`;
    throw new CattlegridError("TEMPLATE_INVALID", message, {
      hint: "Write names as `apt-get install` takes them.",
    });
  }
  return {
    ...COMMON,
    name: isHost ? "look for packages of apt" : "install packages of apt",
    argv: ["sh", "-c", isHost ? CHECK_SCRIPT : INSTALL_SCRIPT, "apt", ...names],
    root: !isHost,
    explain: isHost ? explainLacking : explainApt,
  };
}

function planInstaller(program: string, script: string, names: readonly string[]): BuildStep {
  return {
    ...COMMON,
    name: `install packages of ${program}`,
    argv: ["sh", "-c", script, program, ...names],
    explain: explainProgram,
  };
}

function listLacking({ output }: StepFailure): readonly string[] {
  return [...output.matchAll(/^lacking (\S+)$/gm)].map(([, name = ""]) => name);
}

function explainLacking(failure: StepFailure): CattlegridError | undefined {
  if (failure.exitCode !== LACKING) return undefined;
  const missing = listLacking(failure);
  const message = `This machine does not have ${missing.join(", ")}, and its own files are the template's base.`;
  return new CattlegridError("PACKAGES_MISSING", message, {
    hint: `Install them here: \`sudo apt-get install ${missing.join(" ")}\`; or give the template a base of its own, such as an image of Debian.`,
    details: { missing },
  });
}

function explainApt({ exitCode, output }: StepFailure): CattlegridError | undefined {
  if (exitCode === LACKING) {
    return new CattlegridError("PACKAGES_MISSING", "The template's base has no apt-get.", {
      hint: "Use a base of Debian or Ubuntu, or leave out `packages.apt`.",
    });
  }
  if (MISTRUSTED.test(output) || (UNSIGNED.test(output) && !UNREACHED.test(output))) {
    const message = "The base trusts no key that its package sources are signed with.";
    return new CattlegridError("PACKAGES_UNVERIFIED", message, { details: { output } });
  }
  const missing = [...output.matchAll(UNKNOWN)].map(([, ...names]) => names.join(""));
  if (missing.length === 0) return undefined;
  const message = `The base's package sources do not have ${missing.join(", ")}.`;
  return new CattlegridError("PACKAGES_MISSING", message, {
    hint: "Correct the name in `packages.apt`, or use a base whose sources have the package.",
    details: { missing, output },
  });
}

function explainProgram(failure: StepFailure): CattlegridError | undefined {
  const isWithoutPip = /No module named '?pip/.test(failure.output);
  if (failure.exitCode !== LACKING && !isWithoutPip) return undefined;
  const missing = isWithoutPip ? ["python3-pip"] : listLacking(failure);
  const message = `The template's base does not have ${missing.join(", ")}.`;
  return new CattlegridError("PACKAGES_MISSING", message, {
    hint: `On base host install it here: \`sudo apt-get install ${missing.join(" ")}\`; on another name it in \`packages.apt\`.`,
    details: { missing },
  });
}
