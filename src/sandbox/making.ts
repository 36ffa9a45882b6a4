import { hostsIn } from "../agent/regions.ts";
import { randomBytes, randomUUID } from "node:crypto";
import type { AgentRegistry } from "../agent/registry.ts";
import { CattlegridError } from "../errors/error.ts";
import type { SandboxCreate } from "../protocol/sandbox.ts";
import type { SandboxRow } from "../store/sandbox-rows.ts";
import type { Store } from "../store/store.ts";
import { resolveWorkspace, type WorkspaceSurroundings } from "../workspace/workspace.ts";
import type { Clones } from "./clones.ts";
import { checkSame, specify, type Wanted } from "./creation.ts";
import type { Gates } from "./gates.ts";
import { defaultName, distinctName } from "./name.ts";
import type { SandboxProvider } from "./provider.ts";
import { findAgent, findProvider } from "./registry.ts";
import { checkToolchain } from "./toolchains.ts";

const CAPABILITIES_TIMEOUT_MS = 30_000;

export interface SandboxMakerOptions {
  store: Store;
  providers: readonly SandboxProvider[];
  agents: AgentRegistry;
  gates: Gates;
  surroundings: WorkspaceSurroundings;
  clones: Pick<Clones, "plan">;
  now(): Date;
}

export interface SandboxMaker {
  make(owner: string, request: SandboxCreate): Promise<{ row: SandboxRow; created: boolean }>;
}

export function createSandboxMaker(options: SandboxMakerOptions): SandboxMaker {
  const { store } = options;
  let queue: Promise<unknown> = Promise.resolve();

  const findExisting = async (owner: string, wanted: Wanted): Promise<SandboxRow | undefined> => {
    const { name, agent, ephemeral } = wanted.request;
    if (name !== undefined) return store.sandboxes.getByName(owner, name);
    if (ephemeral === true || agent === undefined) return undefined;
    return store.sandboxes.findByWorkspace(owner, agent, wanted.workspace ?? null);
  };

  const makeNew = async (owner: string, wanted: Wanted): Promise<SandboxRow> => {
    const { request } = wanted;
    const row = await describeNew(options, owner, wanted);
    const taken = new Set((await store.sandboxes.list(owner)).map((each) => each.name));
    const isEphemeral = request.ephemeral === true;
    const ending = isEphemeral ? `-${randomBytes(3).toString("hex")}` : "";
    const base = defaultName(row.agent, wanted.workspace ?? null) + ending;
    const name = request.name ?? distinctName(base, (each) => taken.has(each));
    const named = await planClone(options.clones, { ...row, name });
    if (await store.sandboxes.insert(named)) return named;
    throw nameInUse(name);
  };

  const makeNext = async (
    owner: string,
    wanted: Wanted,
  ): Promise<{ row: SandboxRow; created: boolean }> => {
    const existing = await findExisting(owner, wanted);
    if (existing === undefined) return { row: await makeNew(owner, wanted), created: true };
    if (wanted.request.ephemeral === true) throw nameInUse(existing.name);
    checkSame(existing, wanted);
    return { row: existing, created: false };
  };

  return {
    async make(owner, request) {
      const { workspace } = request;
      const path = workspace ? await resolveWorkspace(workspace, options.surroundings) : workspace;
      // One at a time: two that ask for the same folder at once must find the same sandbox.
      const made = queue.then(() => makeNext(owner, { request, workspace: path }));
      queue = Promise.allSettled([made]);
      return made;
    },
  };
}

/** The branch bears the sandbox's name, so this comes when that is settled. */
async function planClone(clones: Pick<Clones, "plan">, row: SandboxRow): Promise<SandboxRow> {
  const { workspace } = row.specification;
  if (workspace?.mode !== "clone") return row;
  const clone = await clones.plan(workspace.path, row.name);
  return { ...row, specification: { ...row.specification, clone } };
}

function nameInUse(name: string): CattlegridError {
  return new CattlegridError("NAME_IN_USE", `There is already a sandbox called ${name}.`);
}

/** A row but for its final name. Everything that could be refused at the first start is refused here. */
async function describeNew(
  options: SandboxMakerOptions,
  owner: string,
  wanted: Wanted,
): Promise<SandboxRow> {
  const { request } = wanted;
  if (request.agent === undefined) throw agentMissing(request.name);
  const agent = findAgent(options.agents, request.agent);
  const provider = findProvider(options.providers, request.provider);
  for (const path of request.toolchains ?? []) {
    await checkToolchain(path, options.surroundings, wanted.workspace ?? undefined);
  }
  const signal = AbortSignal.timeout(CAPABILITIES_TIMEOUT_MS);
  const capabilities = await provider.capabilities(signal);
  const id = randomUUID();
  const gate = options.gates.prepare({
    sandboxId: id,
    sandboxName: request.name ?? agent.id,
    ...request.policy,
    allow: request.allow ?? [],
    deny: request.deny ?? [],
    hosts: hostsIn(agent, request.regions),
    mirrors: request.mirrors ?? null,
  });
  const specification = specify(wanted, {
    agent,
    offer: { provider: provider.id, capabilities },
    gate,
  });
  return {
    id,
    owner,
    name: request.name ?? agent.id,
    agent: agent.id,
    provider: provider.id,
    ephemeral: request.ephemeral === true,
    specification,
    status: "created",
    createdAt: options.now().toISOString(),
  };
}

function agentMissing(name: string | undefined): CattlegridError {
  if (name === undefined) return new CattlegridError("REQUEST_INVALID", "No agent was named.");
  return new CattlegridError(
    "SANDBOX_NOT_FOUND",
    `There is no sandbox ${name}, and no agent was named to make it for.`,
  );
}
