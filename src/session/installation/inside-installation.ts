import { CattlegridError } from "../../errors/error.ts";
import type { InstallInside } from "../../sandbox/life/starting.ts";
import { runCommand } from "../command.ts";
import { isInstallable, runInstallation, type InstallableAgent } from "./installer-run.ts";
import type { RunningSandbox } from "../../sandbox/provider.ts";

const INSTALL_TIMEOUT_MS = 15 * 60 * 1000;

/**
 * Installs an agent in the sandbox in which it is to run, where homes stand on no layers: at the first start, or when what a
 * snapshot brought is another version. Throws DEPENDENCY_MISSING, AGENT_INSTALL_FAILED, TIMED_OUT.
 */
export const installInside: InstallInside = async (agent, running, context) => {
  if (!isInstallable(agent)) return;
  const { signal, report, installTimeoutMs = INSTALL_TIMEOUT_MS } = context;
  const version = context.agentVersion ?? agent.install.version;
  const present = await findVersion(agent, running, signal);
  if (present !== undefined && (version ?? present) === present) return;
  const text = `Installing ${agent.title} in the sandbox.`;
  report({ type: "install-start", agent: agent.id, text });
  const deadline = AbortSignal.timeout(installTimeoutMs);
  const place = { running, receivedBytes: () => 0, decisions: async () => [] };
  const work = {
    agent,
    version,
    hasOwnUserland: true,
    signal: AbortSignal.any([signal, deadline]),
    report,
  };
  try {
    const installed = await runInstallation(place, work);
    report({ type: "install-end", agent: agent.id, version: installed, layer: "" });
  } catch (error) {
    if (!deadline.aborted || signal.aborted) throw error;
    const seconds = Math.round(installTimeoutMs / 1000);
    const message = `Installing ${agent.title} took longer than ${seconds} seconds.`;
    throw new CattlegridError("TIMED_OUT", message);
  }
};

/** Undefined for an agent that is not there. */
async function findVersion(
  { install }: InstallableAgent,
  running: RunningSandbox,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    return install.readVersion(
      await runCommand(running, { request: { argv: install.check }, signal }),
    );
  } catch (error) {
    const codes = ["COMMAND_NOT_FOUND", "COMMAND_NOT_EXECUTABLE"] as const;
    if (codes.some((code) => CattlegridError.is(error, code))) return undefined;
    throw error;
  }
}
