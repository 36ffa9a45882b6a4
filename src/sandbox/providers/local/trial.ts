import { randomBytes } from "node:crypto";
import { CattlegridError } from "../../../errors/error.ts";
import type {
  CaptureSockets,
  ProcessRequest,
  RunningSandbox,
  SandboxSpecification,
  StartHooks,
} from "../../provider.ts";

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

/**
 * Whether gVisor does here what a sandbox needs of it: versions of 2022 fail at what `ls -l` asks of a file, and give a
 * later program no terminal. Throws ISOLATION_UNAVAILABLE with the remedy.
 */
export async function trySentry(
  ground: TrialGround,
  found: { version: string; remedy: string },
  signal: AbortSignal,
): Promise<void> {
  const refuse = (why: string, cause?: unknown): CattlegridError =>
    new CattlegridError(
      "ISOLATION_UNAVAILABLE",
      `gVisor (${found.version}) does not hold a sandbox here: ${why}.`,
      { hint: found.remedy, ...(cause === undefined ? {} : { cause }) },
    );
  const terminal = { columns: 71, rows: 23 };
  const checks = [
    { why: "`ls -l` fails in it", request: { argv: ["ls", "-l", "/usr/bin/env"] } },
    {
      why: "a program has no terminal in it",
      request: { argv: ["sh", "-c", 'test -t 0 && [ "$(stty size)" = "23 71" ]'], terminal },
    },
  ];
  try {
    await tryInSandbox(ground, { isolation: "gvisor" }, async (sandbox) => {
      for (const { why, request } of checks) {
        if ((await statusOf(sandbox, request, signal)) !== 0) throw refuse(why);
      }
    });
  } catch (error) {
    if (CattlegridError.is(error, "ISOLATION_UNAVAILABLE") || signal.aborted) throw error;
    throw refuse(error instanceof Error ? error.message : String(error), error);
  }
}
