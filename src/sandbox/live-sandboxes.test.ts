import { existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { OWNER, SandboxYard } from "../../test/support/sandbox-yard.ts";
import { createSmallAgents } from "../../test/support/small-agents.ts";
import type { StartEvent } from "../protocol/start-event.ts";
import type { LayersFor } from "./life/starting.ts";

const code = (expected: string): unknown => expect.objectContaining({ code: expected });

let yard: SandboxYard;
beforeEach(async () => void (yard = await SandboxYard.open()));
afterEach(async () => {
  await yard.close();
  yard.remove();
});

const watcher = () => ({ signal: new AbortController().signal });

describe("starting", () => {
  test("hands the provider what was asked for, and what the workspace must be kept from", async () => {
    mkdirSync(join(yard.workspace, ".vscode"));
    writeFileSync(join(yard.workspace, ".vscode/tasks.json"), "{}");
    const id = await yard.make({ environment: { A: "1" }, gitIdentity: { name: "N" } });
    await yard.run(id);
    expect(yard.provider.specifications.get(id)).toMatchObject({
      name: "shell-My-Project",
      workspace: { path: yard.workspace, mode: "direct" },
      protectedPaths: [join(yard.workspace, ".vscode/tasks.json")],
      environment: { AGENT_MARK: "shell", A: "1" },
      gitIdentity: { name: "N" },
    });
    expect(await yard.sandboxes.get(id)).toMatchObject({
      status: "running",
      facts: expect.anything(),
    });
    writeFileSync(join(yard.workspace, ".envrc"), "");
    expect((await yard.sandboxes.get(id)).createdPaths).toEqual([join(yard.workspace, ".envrc")]);
  });

  test("is refused when a link on the way leads elsewhere than what was judged", async () => {
    const inside = join(yard.workspace, "deep/project");
    const toolchain = join(yard.workspace, "tools");
    mkdirSync(inside, { recursive: true });
    mkdirSync(toolchain);
    mkdirSync(join(yard.root, "other/project"), { recursive: true });
    const moved = await yard.make({ workspace: inside });
    const equipped = await yard.make({ toolchains: [toolchain] });
    await yard.run(moved);
    await yard.run(equipped);
    await Promise.all([yard.sandboxes.stop(moved), yard.sandboxes.stop(equipped)]);
    rmSync(join(yard.workspace, "deep"), { recursive: true });
    rmSync(toolchain, { recursive: true });
    symlinkSync(join(yard.root, "other"), join(yard.workspace, "deep"));
    symlinkSync(join(yard.root, "other"), toolchain);
    await expect(yard.run(moved)).rejects.toEqual(code("WORKSPACE_MISSING"));
    await expect(yard.run(equipped)).rejects.toEqual(code("REQUEST_INVALID"));
  });

  test("happens once however many ask, and tells each of them the same", async () => {
    await yard.close();
    const told: StartEvent = { type: "install-delta", text: "50 %" };
    const layersFor: LayersFor = async (_agent, context) => {
      context.onEvent(told);
      return ["layer"];
    };
    yard = await SandboxYard.open({ layersFor }, yard.root);
    const id = await yard.make();
    const seen: StartEvent[][] = [[], []];
    await Promise.all(
      seen.map((events) =>
        yard.sandboxes.start(id, {}, { ...watcher(), onEvent: (event) => events.push(event) }),
      ),
    );
    expect([yard.provider.starts, seen]).toEqual([1, [[told], [told]]]);
    await yard.run(id);
    expect(yard.provider.starts).toBe(1);
  });

  test("goes on while anybody waits for it, and is given up with the last", async () => {
    const id = await yard.make();
    const { promise: entered, resolve: enter } = Promise.withResolvers<void>();
    let aborted = false;
    yard.provider.beforeStart = async (signal) => {
      enter();
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      aborted = true;
    };
    const [one, two] = [new AbortController(), new AbortController()];
    const first = yard.sandboxes.start(id, {}, { signal: one.signal });
    const second = yard.sandboxes.start(id, {}, { signal: two.signal });
    await entered;
    one.abort();
    await expect(first).rejects.toEqual(code("INTERRUPTED"));
    expect(aborted).toBe(false);
    two.abort();
    await expect(second).rejects.toEqual(code("INTERRUPTED"));
    await yard.sandboxes.stop(id);
    expect([aborted, await yard.statusOf(id)]).toEqual([true, "stopped"]);
  });

  test("that fails leaves a stopped sandbox with the reason, which can be started again", async () => {
    const id = await yard.make();
    yard.provider.beforeStart = async () => {
      throw new Error("no runtime");
    };
    await expect(yard.run(id)).rejects.toThrow("no runtime");
    expect(await yard.sandboxes.get(id)).toMatchObject({
      status: "stopped",
      statusReason: "no runtime",
    });
    await yard.run(id);
    expect(await yard.statusOf(id)).toBe("running");
    expect((await yard.sandboxes.get(id)).statusReason).toBeUndefined();
  });

  test("is refused when the workspace has gone meanwhile", async () => {
    const id = await yard.make();
    rmSync(yard.workspace, { recursive: true });
    await expect(yard.run(id)).rejects.toEqual(code("WORKSPACE_MISSING"));
    expect(await yard.statusOf(id)).toBe("stopped");
  });

  test("of one that nobody knows is refused", async () => {
    await expect(yard.run("nothing")).rejects.toEqual(code("SANDBOX_NOT_FOUND"));
  });
});

describe("stopping and removing", () => {
  test("stop ends sessions first, twice is as good as once, and home stays", async () => {
    const id = await yard.make();
    await yard.run(id);
    await yard.sandboxes.stop(id);
    await yard.sandboxes.stop(id);
    expect([await yard.statusOf(id), yard.ended, yard.lost]).toEqual(["stopped", [id], []]);
    await expect(yard.sandboxes.running(id)).rejects.toEqual(code("SANDBOX_NOT_RUNNING"));
    expect(readdirSync(join(yard.root, "provider/homes"))).toEqual([id]);
    await yard.run(id);
    expect(await yard.statusOf(id)).toBe("running");
  });

  test("remove leaves nothing, whatever it was doing, and may be repeated", async () => {
    const [running, starting] = [await yard.make(), await yard.make({ agent: "other" })];
    await yard.run(running);
    const { promise: entered, resolve: enter } = Promise.withResolvers<void>();
    yard.provider.beforeStart = async (signal) => {
      enter();
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    };
    const start = yard.run(starting);
    const refused = Promise.allSettled([start]);
    await entered;
    await Promise.all([running, starting, running].map((id) => yard.sandboxes.remove(id)));
    expect(await refused).toEqual([{ status: "rejected", reason: code("INTERRUPTED") }]);
    expect(await yard.sandboxes.list(OWNER)).toEqual([]);
    expect(readdirSync(join(yard.root, "provider/homes"))).toEqual([]);
    expect(readdirSync(join(yard.root, "egress"))).toEqual([]);
    await expect(yard.sandboxes.find(OWNER, running)).rejects.toEqual(code("SANDBOX_NOT_FOUND"));
  });

  test("a sandbox that dies is stopped with its reason, and its sessions are lost", async () => {
    const id = await yard.make();
    await yard.run(id);
    yard.provider.kill(id);
    await yard.sandboxes.stop(id);
    expect(await yard.sandboxes.get(id)).toMatchObject({
      status: "stopped",
      statusReason: "its runtime died",
    });
    expect([yard.ended, yard.lost]).toEqual([[], [`${id}: its runtime died`]]);
  });

  test("an ephemeral sandbox goes with its last lease, one nobody leased goes by itself", async () => {
    await yard.close();
    yard = await SandboxYard.open({ leaseGraceMs: 20 }, yard.root);
    const leased = await yard.make({ ephemeral: true });
    const lease = yard.sandboxes.lease(leased);
    const unleased = await yard.make({ ephemeral: true });
    await expect.poll(() => yard.sandboxes.find(OWNER, unleased).catch(() => "gone")).toBe("gone");
    expect(await yard.statusOf(leased)).toBe("created");
    lease.close();
    await yard.sandboxes.remove(leased);
    expect(await yard.sandboxes.list(OWNER)).toEqual([]);
  });

  test("one made to go after its session goes, another stays", async () => {
    const [going, staying] = [
      await yard.make({ removeAfterSession: true }),
      await yard.make({ agent: "other" }),
    ];
    await yard.run(going);
    yard.sandboxes.afterSession(staying, "s");
    yard.sandboxes.afterSession(going, "s");
    await expect.poll(() => yard.sandboxes.find(OWNER, going).catch(() => "gone")).toBe("gone");
    expect(await yard.statusOf(staying)).toBe("created");
  });

  test("an ephemeral one goes with its lease, so that its changes can be looked at after a session", async () => {
    const [leased, going] = [
      await yard.make({ removeAfterSession: true, ephemeral: true }),
      await yard.make({ removeAfterSession: true, agent: "other" }),
    ];
    yard.sandboxes.afterSession(leased, "s");
    yard.sandboxes.afterSession(going, "s");
    await expect.poll(() => yard.sandboxes.find(OWNER, going).catch(() => "gone")).toBe("gone");
    expect(await yard.statusOf(leased)).toBe("created");
  });
});

describe("a throw-away sandbox", () => {
  test("has the agent's hosts only, is in no list, and becomes a layer", async () => {
    const [agent] = createSmallAgents().list();
    const signal = new AbortController().signal;
    const made = await yard.sandboxes.createInternal({
      agent: agent!,
      provider: yard.provider,
      mirrors: null,
      signal,
    });
    expect(await yard.sandboxes.list(OWNER)).toEqual([]);
    expect(yard.provider.specifications.get(made.id)).toMatchObject({
      homeLayers: [],
      protectedPaths: [],
    });
    await made.seal("layer-1");
    await made.remove();
    await made.remove();
    expect(await yard.provider.layers.list()).toEqual(["layer-1"]);
    expect(readdirSync(join(yard.root, "provider/homes"))).toEqual([]);
  });
});

describe("after a crash", () => {
  test("nothing runs, ephemeral ones are gone, and what nobody owns is reaped", async () => {
    const [running, ephemeral] = [await yard.make(), await yard.make({ ephemeral: true })];
    await yard.run(running);
    const row = { owner: OWNER, sandboxId: running, agent: "shell", kind: "turns" } as const;
    await yard.store.sessions.insert({
      ...row,
      id: "s",
      status: "running",
      turns: 1,
      createdAt: "x",
    });
    mkdirSync(join(yard.root, "provider/homes/orphan"));
    // What a crash leaves: rows that say running. The lock goes with the process, so here it is given back.
    await yard.store.close();
    await yard.provider.close();
    yard = await SandboxYard.open({}, yard.root);
    await yard.sandboxes.recovered();
    expect(await yard.sandboxes.get(running)).toMatchObject({
      status: "stopped",
      statusReason: "the daemon restarted",
      sessions: [{ id: "s", kind: "turns", status: "lost" }],
    });
    await expect(yard.sandboxes.find(OWNER, ephemeral)).rejects.toEqual(code("SANDBOX_NOT_FOUND"));
    expect(readdirSync(join(yard.root, "provider/homes"))).toEqual([running]);
    await yard.run(running);
    expect(existsSync(join(yard.root, "provider/homes", running))).toBe(true);
  });
});
