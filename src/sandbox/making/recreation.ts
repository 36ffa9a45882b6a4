import { randomBytes, randomUUID } from "node:crypto";
import { CattlegridError } from "../../errors/error.ts";
import type { SandboxRecreate } from "../../protocol/sandbox.ts";
import type { SandboxRow } from "../../store/sandbox-rows.ts";
import type { Store } from "../../store/store.ts";
import { exportFiles, importFiles } from "./carried-files.ts";
import type { Lifecycle } from "../life/lifecycle.ts";
import { describeSandbox, resolveChoice, type DescriptionOptions } from "./description.ts";
import type { RunningSandbox } from "../provider.ts";
import { findAgent } from "../registry.ts";

export interface RecreationOptions extends DescriptionOptions {
  store: Store;
  lifecycle: Lifecycle;
  now(): Date;
}

export interface RecreationWish {
  request: SandboxRecreate;
  signal: AbortSignal;
}

export interface Recreation {
  row: SandboxRow;
  /** Whether a sign-in came along. */
  keptLogin: boolean;
}

/**
 * Makes a sandbox anew: with a fresh home and today's layers, and with the name and all that was wished of the old one.
 * The old one is kept, and has the name, until the new one is whole: whatever fails before leaves it as it was, and a crash
 * leaves one of both.
 */
export async function recreate(
  options: RecreationOptions,
  old: SandboxRow,
  wish: RecreationWish,
): Promise<Recreation> {
  const { request, signal } = wish;
  const { store, lifecycle } = options;
  const files = request.keepLogin === true ? await takeLogin(options, old, wish) : undefined;
  const fresh = describeFresh(await renewTemplate(options, old), options.now());
  if (!(await store.sandboxes.insert(fresh))) {
    throw new CattlegridError("NAME_IN_USE", `There is already a sandbox ${fresh.name}.`);
  }
  try {
    if (files !== undefined) {
      const running = await start(lifecycle, fresh.id, wish);
      await importFiles(running, files, signal);
      await lifecycle.stop(fresh.id);
      // A copy of a login profile's stays one, to be renewed and taken back as such.
      const lent = await store.lentSignIns.get(old.id);
      if (lent !== undefined) await store.lentSignIns.put({ ...lent, sandboxId: fresh.id });
    }
    for (const change of await store.policyChanges.list(old.id)) {
      await store.policyChanges.put({ ...change, sandboxId: fresh.id });
    }
    signal.throwIfAborted();
    await store.sandboxes.replace(old.id, fresh.id);
  } catch (error) {
    await lifecycle.remove(fresh.id);
    throw error;
  }
  await lifecycle.remove(old.id);
  const row = (await store.sandboxes.get(fresh.id)) ?? fresh;
  return { row, keptLogin: files !== undefined };
}

/** A sandbox that was made from a template follows what the template says now; the answers that were given stay. */
async function renewTemplate(options: RecreationOptions, old: SandboxRow): Promise<SandboxRow> {
  const { template, making, workspace: before } = old.specification;
  if (template === undefined || making === undefined) return old;
  const { owner } = old;
  const workspace = before?.path ?? null;
  const { parameters: _given, ...choice } = making.request.template ?? { name: template.name };
  const request = { ...making.request, template: choice };
  const kept = { ...template.parameters, ...making.next };
  const use = { owner, workspace, agent: old.agent, kept };
  const part = await resolveChoice(options, request, use);
  const described = await describeSandbox(options, randomUUID(), { request, workspace, part });
  const { specification } = described;
  refuseOwnCopy(old.name, specification.workspace?.mode);
  return { ...old, provider: described.provider.id, specification };
}

/** What a template came to say since cannot make a copy where there was none. */
function refuseOwnCopy(name: string, mode: string | undefined): void {
  if (mode !== "clone") return;
  const message = `The template of ${name} now gives its sandboxes a clone of the workspace.`;
  throw new CattlegridError("REQUEST_INVALID", message, {
    hint: `Remove it with \`cattlegrid rm ${name}\`, and run it again.`,
  });
}

/** Ephemeral until it takes the old one's place, so that a crash before leaves nothing of it. */
function describeFresh(old: SandboxRow, now: Date): SandboxRow {
  const { owner, agent, provider, specification } = old;
  const id = randomUUID();
  const { base: _base, ...kept } = specification;
  return {
    id,
    owner,
    name: `${old.name.slice(0, 40)}-new-${randomBytes(4).toString("hex")}`,
    agent,
    provider,
    ephemeral: true,
    specification: { ...kept, protectedPaths: [], layers: [] },
    status: "created",
    createdAt: now.toISOString(),
  };
}

async function takeLogin(
  { agents, lifecycle }: RecreationOptions,
  old: SandboxRow,
  wish: RecreationWish,
): Promise<Buffer | undefined> {
  const agent = findAgent(agents, old.agent);
  if (agent.signIn === undefined) {
    const message = `${agent.title} has no sign-in to keep.`;
    throw new CattlegridError("REQUEST_INVALID", message, { hint: "Leave out --keep-login." });
  }
  const running = await start(lifecycle, old.id, wish);
  return exportFiles(running, agent.signIn.files, wish.signal);
}

async function start(
  lifecycle: Lifecycle,
  id: string,
  { request: { mirrors, installTimeoutMs }, signal }: RecreationWish,
): Promise<RunningSandbox> {
  const request = {
    ...(mirrors === undefined ? {} : { mirrors }),
    ...(installTimeoutMs === undefined ? {} : { installTimeoutMs }),
  };
  await lifecycle.start(id, request, { signal });
  const running = lifecycle.running(id);
  if (running !== undefined) return running;
  throw new CattlegridError("SANDBOX_NOT_RUNNING", "The sandbox ended as soon as it ran.");
}
