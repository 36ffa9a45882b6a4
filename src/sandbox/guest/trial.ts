import { randomBytes } from "node:crypto";
import type { CaptureSockets } from "../capture/capture-sockets.ts";
import type { ProcessRequest } from "../process.ts";
import type { RunningSandbox, SandboxSpecification, StartHooks } from "../provider.ts";

/** How a sandbox is started and removed here. */
export interface TrialGround {
  start(specification: SandboxSpecification, hooks: StartHooks): Promise<RunningSandbox>;
  destroy(sandboxId: string): Promise<void>;
}

/** Starts a sandbox of its own, lets `use` look at it, and leaves nothing. */
export async function tryInSandbox<T>(
  ground: TrialGround,
  parts: Partial<SandboxSpecification>,
  use: (sandbox: RunningSandbox) => Promise<T>,
): Promise<T> {
  const id = `probe-${randomBytes(6).toString("hex")}`;
  const specification = {
    id,
    name: "probe",
    protectedPaths: [],
    homeLayers: [],
    toolchains: [],
    environment: {},
    certificates: [],
    limits: {},
    ...parts,
  };
  const taken: CaptureSockets[] = [];
  let sandbox: RunningSandbox | undefined;
  try {
    const onCapture = (sockets: CaptureSockets): void => void taken.push(sockets);
    sandbox = await ground.start(specification, { onCapture });
    return await use(sandbox);
  } finally {
    await sandbox?.stop();
    for (const { tcp, udp } of taken) {
      tcp.close();
      for (const socket of udp) socket.close();
    }
    await ground.destroy(id);
  }
}

/** Runs a program to its end. */
export async function statusOf(
  sandbox: RunningSandbox,
  request: ProcessRequest,
  signal: AbortSignal,
): Promise<number> {
  const program = await sandbox.exec(request, signal);
  if (request.terminal === undefined) program.input.end();
  program.output.resume();
  program.errors?.resume();
  return (await program.ended).code;
}
