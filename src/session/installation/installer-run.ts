import {
  CHECKSUM_MISMATCH,
  type AgentAdapter,
  type AgentInstallation,
  type CommandResult,
} from "../../agent/agent.ts";
import { CattlegridError } from "../../errors/error.ts";
import type { StartEvent } from "../../protocol/start-event.ts";
import type { RunningSandbox } from "../../sandbox/provider.ts";
import { runCommand } from "../command.ts";

const REFUSALS_SHOWN_MAX = 20;
const PROGRESS_EVERY_MS = 1000;

export type InstallableAgent = AgentAdapter & { install: AgentInstallation };

export function isInstallable(agent: AgentAdapter): agent is InstallableAgent {
  return agent.install !== undefined;
}

/** Where an agent is installed, and what is seen of its network there. */
export interface InstallationPlace {
  readonly running: RunningSandbox;
  /** Bytes that came in from outside so far. */
  receivedBytes(): number;
  /** Recorded decisions so far, as JSON texts. */
  decisions(): Promise<readonly string[]>;
}

export interface InstallerWork {
  agent: InstallableAgent;
  /** Absent: the newest. */
  version: string | undefined;
  /** Of what its installer fetches, as `sha256:HEX`. Absent: any. */
  checksum?: string | undefined;
  /** Whether programs inside are other ones than this machine's. */
  hasOwnUserland: boolean;
  signal: AbortSignal;
  report(event: StartEvent): void;
}

/** Installs an agent. Returns its version. Throws DEPENDENCY_MISSING, AGENT_INSTALL_FAILED. */
export async function runInstallation(
  place: InstallationPlace,
  work: InstallerWork,
): Promise<string> {
  await checkNeeds(place.running, work);
  const version = await runInstaller(place, work);
  await makeQuiet(place.running, work);
  return version;
}

/** SECURITY: a constant text; the names arrive as arguments and never as text of the script. */
const LIST_MISSING = 'for name in "$@"; do command -v -- "$name" >/dev/null || echo "$name"; done';

async function checkNeeds(
  running: RunningSandbox,
  { agent: { install, title }, hasOwnUserland, signal }: InstallerWork,
): Promise<void> {
  const { needs } = install;
  const argv = ["sh", "-c", LIST_MISSING, "needs", ...needs];
  const { stdout } = await runCommand(running, { request: { argv }, signal });
  const missing = stdout.split("\n").filter((name) => name !== "");
  if (missing.length === 0) return;
  const where = hasOwnUserland ? "is not in the sandbox" : "this machine does not have";
  const message = `Installing ${title} needs ${missing.join(", ")}, which ${where}.`;
  const hint = hasOwnUserland
    ? "Make sandboxes from an image, base or snapshot that has it; the provider's page says how."
    : `Install it: \`sudo apt-get install ${missing.join(" ")}\`.`;
  throw new CattlegridError("DEPENDENCY_MISSING", message, { hint, details: { missing } });
}

function explainInstallation(version: string | undefined, exitCode: number): string {
  if (version !== undefined) return `the installed program is version ${version}`;
  return exitCode === 0
    ? "the installed program does not tell its version"
    : `its installer ended with status ${exitCode}`;
}

/** Returns the version that was installed, which only the installed program itself can prove. */
async function runInstaller(box: InstallationPlace, work: InstallerWork): Promise<string> {
  const { agent, version: chosen, signal, report } = work;
  const { script, check, readVersion } = agent.install;
  const decoder = new TextDecoder();
  using _progress = reportProgress(box, report);
  const checksum = work.checksum?.replace(/^sha256:/, "");
  const installed = await runCommand(box.running, {
    request: { argv: ["bash", "-c", script, "install", chosen ?? "", checksum ?? ""] },
    signal,
    onOutput: (bytes) =>
      report({ type: "install-delta", text: decoder.decode(bytes, { stream: true }) }),
  });
  if (checksum !== undefined && installed.exitCode === CHECKSUM_MISMATCH) {
    const message = `What ${agent.title}'s installer fetched is not the file that the template names.`;
    const details = { wanted: checksum, output: joinOutput(installed) };
    throw new CattlegridError("AGENT_CHECKSUM_MISMATCH", message, { details });
  }
  const checked = await runCommand(box.running, { request: { argv: check }, signal });
  const version = readVersion(checked);
  if (version !== undefined && (chosen ?? version) === version) return version;
  const message = `${agent.title} did not install: ${explainInstallation(version, installed.exitCode)}.`;
  throw new CattlegridError("AGENT_INSTALL_FAILED", message, {
    details: {
      installerExitCode: installed.exitCode,
      output: joinOutput(installed),
      check: joinOutput(checked),
      refused: await listRefusals(box),
    },
  });
}

/** Tells while the installer runs how much has come in, each time it is more. */
function reportProgress(box: InstallationPlace, report: (event: StartEvent) => void): Disposable {
  let told = 0;
  const tell = (): void => {
    const receivedBytes = box.receivedBytes();
    if (receivedBytes > told) report({ type: "install-progress", receivedBytes });
    told = receivedBytes;
  };
  const timer = setInterval(tell, PROGRESS_EVERY_MS);
  return {
    [Symbol.dispose]() {
      clearInterval(timer);
      tell();
    },
  };
}

function joinOutput({ stdout, stderr }: CommandResult): string {
  return [stdout, stderr].filter((text) => text !== "").join("\n");
}

/** A host that was refused is the usual reason, and the installer rarely names it. */
async function listRefusals(box: InstallationPlace): Promise<readonly string[]> {
  const decisions = await box.decisions();
  return decisions.filter((text) => text.includes('"deny"')).slice(-REFUSALS_SHOWN_MAX);
}

/** A setting that this version of the agent does not know is no reason to do without the agent. */
async function makeQuiet(running: RunningSandbox, work: InstallerWork): Promise<void> {
  for (const argv of work.agent.install.settings) {
    const result = await runCommand(running, { request: { argv }, signal: work.signal });
    if (result.exitCode === 0) continue;
    const text = `${argv.join(" ")}: ${joinOutput(result).trim()} (passed over)\n`;
    work.report({ type: "install-delta", text });
  }
}
