import { closeSync } from "node:fs";
import { openPeer, openTerminal, setWindowSize } from "../../../../platform/native/terminal.ts";
import { ExtraPipes } from "./extra-descriptors.ts";
import { extraDescriptors, specifyProcess } from "./process-specification.ts";
import { RuntimeClient } from "../runtimes/runtime-client.ts";
import { explainStart, type ProcessStart, type StartedProgram } from "./started-program.ts";
import { openProgram } from "./terminal-process.ts";
import { TerminalMaster } from "./terminal-master.ts";

/**
 * Starts a program on a terminal that we make, for a runtime that makes none: it hands the program what it has itself
 * as standard streams, and passes on the size, the signals and the end of the terminal that it controls.
 */
export async function startOnOwnTerminal(start: ProcessStart): Promise<StartedProgram> {
  const { target, request } = start;
  const specification = specifyProcess(target, request);
  const masterFd = openTerminal();
  if (request.terminal !== undefined) setWindowSize(masterFd, request.terminal);
  const peerFd = openPeer(masterFd);
  const master = new TerminalMaster(masterFd);
  const extras = new ExtraPipes(extraDescriptors(request));
  let client: RuntimeClient | undefined;
  try {
    client = await RuntimeClient.launch({
      target,
      specification,
      stdio: [peerFd, peerFd, peerFd],
      extras: extras.descriptors,
      ownsTerminal: true,
    });
    extras.closeGiven();
    return await openProgram({ ...start, client, extras }, master);
  } catch (error) {
    await client?.abandon();
    master.close();
    throw explainStart(start, error, client?.problem ?? "");
  } finally {
    closeSync(peerFd);
    extras.close();
  }
}
