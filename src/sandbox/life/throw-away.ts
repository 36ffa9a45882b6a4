import { randomUUID } from "node:crypto";
import type { AgentAdapter } from "../../agent/agent.ts";
import type { StoredSpecification } from "../../store/sandbox-rows.ts";
import type { GateRequest, Gates } from "../egress/gates.ts";
import { launch } from "./launch.ts";
import type { RunningSandbox, SandboxProvider, SandboxSpecification } from "../provider.ts";

export interface ThrowAwayOptions {
  agent: Pick<AgentAdapter, "id" | "hosts" | "environment" | "install">;
  /** What its home stands on. Default: nothing, for an installation. */
  layers?: readonly string[];
  provider: SandboxProvider;
  /** That of the sandbox for which it is made: what runs there is as little trusted. Default: the provider's. */
  isolation?: StoredSpecification["isolation"];
  mirrors: StoredSpecification["mirrors"];
  signal: AbortSignal;
  /** Default: preset `agent`, with which it reaches the agent's hosts. */
  policy?: Partial<Pick<GateRequest, "preset" | "allow" | "above">>;
  /** Default: the provider's own. */
  base?: SandboxSpecification["base"];
  /** Whether programs may be root inside. Default: false. */
  hasRoot?: boolean;
  /** Of what it is for, by which records and host name call it. Default: `install` or `login`. */
  purpose?: string;
  /** Default: none. */
  workspace?: NonNullable<SandboxSpecification["workspace"]>;
}

/**
 * A sandbox that no list shows and no row holds: an empty home, and the agent's hosts only. One that a
 * crash leaves behind is unknown at the next start, and so the reaper takes it.
 */
export interface ThrowAwaySandbox {
  readonly id: string;
  readonly running: RunningSandbox;
  /** Bytes that came in from outside so far. */
  receivedBytes(): number;
  /** Recorded decisions so far, as JSON texts. */
  decisions(): Promise<readonly string[]>;
  /** Stops it and turns its home into a layer. */
  seal(layerId: string): Promise<void>;
  /** Idempotent. The owner calls it on every way out. */
  remove(): Promise<void>;
}

export async function createThrowAway(
  gates: Gates,
  options: ThrowAwayOptions,
): Promise<ThrowAwaySandbox> {
  const { agent, provider, mirrors, signal, layers } = options;
  const id = randomUUID();
  const hosts = [...agent.hosts, ...(agent.install?.hosts ?? [])];
  const rules = { preset: "agent", allow: [], deny: [], hosts, ...options.policy };
  const purpose = options.purpose ?? (layers === undefined ? "install" : "login");
  const name = `${purpose}-${agent.id}`;
  const prepared = gates.prepare({ sandboxId: id, sandboxName: name, ...rules, mirrors });
  const specification = {
    id,
    name,
    ...boundaryOf(options),
    protectedPaths: [],
    homeLayers: layers ?? [],
    toolchains: [],
    environment: agent.environment,
    certificates: prepared.certificates,
    limits: {},
  };
  const clean = async (): Promise<void> => {
    await provider.destroy(id);
    await gates.remove(id);
  };
  let launched;
  try {
    launched = await launch({ provider, specification, gate: prepared, signal });
  } catch (error) {
    await clean();
    throw error;
  }
  const { running, gate } = launched;
  const end = async (): Promise<void> => {
    await running.stop();
    await gate.close();
  };
  return {
    id,
    running,
    receivedBytes: () => gate.receivedBytes,
    async decisions() {
      const found: string[] = [];
      const records = gates.read(id, { follow: false, signal });
      for await (const record of records) found.push(JSON.stringify(record));
      return found;
    },
    async seal(layerId) {
      await end();
      await provider.layers.seal(id, layerId);
    },
    async remove() {
      await end();
      await clean();
    },
  };
}

function boundaryOf({
  isolation,
  workspace,
  base,
  hasRoot,
}: ThrowAwayOptions): Partial<SandboxSpecification> {
  return {
    ...(isolation === undefined ? {} : { isolation }),
    ...(workspace === undefined ? {} : { workspace }),
    ...(base === undefined ? {} : { base }),
    ...(hasRoot === true ? { hasRoot: true } : {}),
  };
}
