import { CattlegridError } from "../errors/error.ts";
import type { Gate, PreparedGate } from "./gates.ts";
import type {
  CaptureSockets,
  RunningSandbox,
  SandboxProvider,
  SandboxSpecification,
} from "./provider.ts";

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
  const { provider, specification, signal } = options;
  const { egress } = await provider.capabilities(signal);
  // SECURITY: a policy speaks of names, ports and protocols; a provider that filters less must not carry it.
  if (egress !== "enforced") {
    const message = `The sandbox provider ${provider.id} cannot enforce an egress policy per connection.`;
    throw new CattlegridError("PROVIDER_UNSUPPORTED", message);
  }
  const gate = await options.gate.open();
  try {
    await provider.create(specification, signal);
    const hooks = { onCapture: (sockets: CaptureSockets) => gate.capture(sockets) };
    const running = await provider.start(specification, hooks, signal);
    if (gate.isCapturing) return { running, gate };
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
