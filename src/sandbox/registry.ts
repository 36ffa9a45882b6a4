import type { AgentAdapter } from "../agent/agent.ts";
import type { AgentRegistry } from "../agent/registry.ts";
import { CattlegridError } from "../errors/error.ts";
import type { SandboxRow } from "../store/sandbox-rows.ts";
import type { SandboxProvider } from "./provider.ts";

export function findAgent(agents: AgentRegistry, id: string): AgentAdapter {
  const agent = agents.get(id);
  if (agent !== undefined) return agent;
  const known = agents.list().map((each) => each.id);
  throw new CattlegridError("AGENT_UNKNOWN", `There is no agent called ${id}.`, {
    hint: `Use ${known.join(" or ")}.`,
  });
}

/** `id` absent: the first provider, which is the default. */
export function findProvider<Provider extends { readonly id: string } = SandboxProvider>(
  providers: readonly Provider[],
  id: string | undefined,
): Provider {
  const provider = id === undefined ? providers[0] : providers.find((each) => each.id === id);
  if (provider !== undefined) return provider;
  const known = providers.map((each) => each.id);
  throw new CattlegridError("PROVIDER_UNKNOWN", `There is no sandbox provider called ${id}.`, {
    hint: `Use --provider ${known.join(" or ")}.`,
  });
}

/** The provider that made a sandbox, which may be none of this engine's. Throws PROVIDER_ABSENT. */
export function providerOf(
  providers: readonly SandboxProvider[],
  { name, provider: id }: Pick<SandboxRow, "name" | "provider">,
): SandboxProvider {
  const provider = providers.find((each) => each.id === id);
  if (provider !== undefined) return provider;
  const known = providers.map((each) => each.id);
  const message = `The sandbox ${name} belongs to the sandbox provider ${id}, and there is only ${known.join(", ")} here.`;
  throw new CattlegridError("PROVIDER_ABSENT", message, { details: { name, provider: id } });
}
