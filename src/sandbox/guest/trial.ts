import { randomBytes } from "node:crypto";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { CaptureSockets } from "../capture/capture-sockets.ts";
import type { ProcessRequest } from "../process.ts";
import type {
  Isolation,
  Probe,
  RunningSandbox,
  SandboxProvider,
  SandboxSpecification,
  StartHooks,
} from "../provider.ts";

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

export interface WorkspaceTrial {
  provider: Pick<SandboxProvider, "create" | "start" | "destroy">;
  /** The workspace lies below it. */
  stateDirectory: string;
  isolation: Isolation;
  signal: AbortSignal;
}

/** Writes to a workspace from a sandbox of a provider, as that is what some machines and engines cannot do. `tell` says how it went. */
export async function tryWorkspace(
  { provider, stateDirectory, isolation, signal }: WorkspaceTrial,
  tell: (sandbox: RunningSandbox) => string,
): Promise<Pick<Probe, "status" | "detail">> {
  const path = join(stateDirectory, `probe-${randomBytes(6).toString("hex")}`);
  const ground: TrialGround = {
    async start(specification, hooks) {
      await provider.create(specification, signal);
      return provider.start(specification, hooks, signal);
    },
    destroy: (sandboxId) => provider.destroy(sandboxId),
  };
  await mkdir(path, { recursive: true });
  try {
    const workspace = { path, mode: "direct" as const };
    return await tryInSandbox(ground, { workspace, isolation }, async (sandbox) => {
      const code = await statusOf(sandbox, { argv: ["touch", "made"] }, signal);
      if (code === 0) return { status: "ok", detail: tell(sandbox) };
      return { status: "missing", detail: `a program in a sandbox ended with status ${code}` };
    });
  } finally {
    await rm(path, { recursive: true, force: true });
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
