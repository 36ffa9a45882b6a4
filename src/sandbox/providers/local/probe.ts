import type { Probe, SandboxProvider } from "../../provider.ts";

export interface ProbeContext {
  stateDirectory: string;
  provider: SandboxProvider;
  signal: AbortSignal;
}

export async function probeMachine(context: ProbeContext): Promise<readonly Probe[]> {
  void context;
  return [];
}
