import type { ResolvedTemplate } from "../../src/protocol/template.ts";

type Setup = Partial<ResolvedTemplate["setup"][number]> & { run: string };

/** A template that says nothing but what is given. */
export function resolvedTemplate(
  change: Partial<Omit<ResolvedTemplate, "setup">> & { setup?: readonly Setup[] } = {},
): ResolvedTemplate {
  const { setup = [], ...rest } = change;
  return {
    name: "golden",
    title: "Golden",
    origin: "user",
    paths: ["/templates/golden/cattlegrid.template.yaml"],
    digest: "sha256:0",
    parameters: {},
    agent: "shell",
    agents: {},
    base: "host",
    packages: { apt: [], npm: [], pip: [] },
    repositories: [],
    files: [],
    steering: [],
    mcpServers: {},
    environment: {},
    bindings: {},
    policy: { allow: [], deny: [], ceilings: [] },
    limits: {},
    limitsRequired: true,
    modes: [],
    lifetime: { removeAfterSession: false },
    identity: {},
    import: [],
    ...rest,
    setup: setup.map((step, index) => ({
      name: `step ${index + 1}`,
      root: false,
      environment: {},
      inputs: {},
      timeoutMs: 60_000,
      ...step,
    })),
  } as ResolvedTemplate;
}
