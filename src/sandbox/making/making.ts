import { randomBytes, randomUUID } from "node:crypto";
import { CattlegridError } from "../../errors/error.ts";
import type { SandboxCreate } from "../../protocol/sandbox.ts";
import type { SandboxRow } from "../../store/sandbox-rows.ts";
import type { Store } from "../../store/store.ts";
import { resolveWorkspace } from "../../workspace/workspace.ts";
import type { Clones } from "../workspace/clones.ts";
import { requireBases } from "./base.ts";
import type { Wanted } from "./creation.ts";
import { checkImports } from "../configuration/imports.ts";
import { describeSandbox, resolveChoice, type DescriptionOptions } from "./description.ts";
import { defaultName, distinctName } from "./name.ts";
import { checkSame } from "./sameness.ts";
import type { WarmPools } from "../warm/pools.ts";

export interface SandboxMakerOptions extends DescriptionOptions {
  store: Store;
  clones: Pick<Clones, "plan">;
  warm: Pick<WarmPools, "reserve" | "forget">;
  now(): Date;
}

export interface SandboxMaker {
  make(owner: string, request: SandboxCreate): Promise<{ row: SandboxRow; created: boolean }>;
}

export function createSandboxMaker(options: SandboxMakerOptions): SandboxMaker {
  const { store } = options;
  let queue: Promise<unknown> = Promise.resolve();

  const findExisting = async (owner: string, wanted: Wanted): Promise<SandboxRow | undefined> => {
    const { name, agent, ephemeral, template } = wanted.request;
    if (name !== undefined) return store.sandboxes.getByName(owner, name);
    if (ephemeral === true || (agent ?? template) === undefined) return undefined;
    const { workspace } = wanted;
    const where = { agent, workspace: workspace ?? null, template: template?.name };
    return store.sandboxes.findByWorkspace(owner, where);
  };

  const makeNew = async (owner: string, wanted: Wanted): Promise<SandboxRow> => {
    const { request } = wanted;
    const row = await describeNew(options, owner, wanted);
    const taken = new Set((await store.sandboxes.list(owner)).map((each) => each.name));
    const isEphemeral = request.ephemeral === true;
    const ending = isEphemeral ? `-${randomBytes(3).toString("hex")}` : "";
    const kind = row.specification.template?.name ?? row.agent;
    const base = defaultName(kind, wanted.workspace ?? null) + ending;
    const name = request.name ?? distinctName(base, (each) => taken.has(each));
    const planned = await planClone(options.clones, { ...row, name });
    const named = { ...planned, id: options.warm.reserve(planned) };
    if (await store.sandboxes.insert(named)) return named;
    await options.warm.forget(named.id);
    throw nameInUse(name);
  };

  const makeNext = async (
    owner: string,
    wanted: Wanted,
  ): Promise<{ row: SandboxRow; created: boolean }> => {
    const existing = await findExisting(owner, wanted);
    if (existing === undefined) return { row: await makeNew(owner, wanted), created: true };
    if (wanted.request.ephemeral === true) throw nameInUse(existing.name);
    // Nobody can have what is going; its name is free once it is gone.
    if (existing.status === "removing") {
      const message = `The sandbox ${existing.name} is being removed.`;
      throw new CattlegridError("SANDBOX_BUSY", message, { hint: "Try again when it is gone." });
    }
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
export async function describeNew(
  options: DescriptionOptions & { now(): Date },
  owner: string,
  wanted: Wanted,
): Promise<SandboxRow> {
  const { request, workspace } = wanted;
  const id = randomUUID();
  const part = await resolveChoice(options, request, { owner, workspace });
  const { agent, provider, specification } = await describeSandbox(options, id, {
    ...wanted,
    part,
  });
  checkImports(part?.template, request, agent);
  requireBases(part?.template, provider);
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
