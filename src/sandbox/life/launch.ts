import { CattlegridError } from "../../errors/error.ts";
import { requireCapabilities } from "../making/demands.ts";
import type { Gate, PreparedGate } from "../egress/gates.ts";
import type { CaptureSockets } from "../capture/capture-sockets.ts";
import type {
  PresentCapabilities,
  RunningSandbox,
  SandboxProvider,
  SandboxSpecification,
} from "../provider.ts";

export interface Launch {
  provider: SandboxProvider;
  specification: SandboxSpecification;
  gate: PreparedGate;
  signal: AbortSignal;
}

export interface LaunchedSandbox {
  running: RunningSandbox;
  gate: Gate;
}

/** Makes and starts a sandbox behind its gateway. When it fails, nothing runs and nothing listens. */
export async function launch(options: Launch): Promise<LaunchedSandbox> {
  const { provider, signal } = options;
  const { addresses } = options.gate;
  const specification = { ...options.specification, ...(addresses && { addresses }) };
  const capabilities = await requireLaunchable(options);
  const gate = await options.gate.open();
  try {
    await provider.create(specification, signal);
    const hooks = { onCapture: (sockets: CaptureSockets) => gate.capture(sockets) };
    const running = await provider.start(specification, hooks, signal);
    // A backend that knows addresses alone carries only a policy that lets nothing out, and lets nothing out by itself.
    if (gate.isCapturing || capabilities.egress !== "enforced") return { running, gate };
    // SECURITY: without a gateway nothing may go on running, whatever the provider says.
    await running.stop();
  } catch (error) {
    await gate.close();
    throw error;
  }
  await gate.close();
  const message = "The sandbox started without handing its network to the gateway.";
  throw new CattlegridError("EGRESS_UNAVAILABLE", message);
}

/** Throws unless the provider can give now what is demanded: that may have changed since the sandbox was made. */
export async function requireLaunchable({
  provider,
  specification,
  gate,
  signal,
}: Launch): Promise<PresentCapabilities> {
  const capabilities = await provider.capabilities(signal);
  const { isolation, limits, workspace } = specification;
  const { demands: egress, hasMirrors } = gate;
  const demands = { isolation, limits, mode: workspace?.mode, egress, hasMirrors };
  requireCapabilities(demands, { provider: provider.id, capabilities });
  return capabilities;
}
