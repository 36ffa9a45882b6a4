import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { OWNER, SandboxYard } from "../../../test/support/sandbox-yard.ts";
import type { SandboxCreate } from "../../protocol/sandbox.ts";

const code = (expected: string): unknown => expect.objectContaining({ code: expected });

let yard: SandboxYard;
beforeEach(async () => void (yard = await SandboxYard.open()));
afterEach(async () => {
  await yard.close();
  yard.remove();
});

describe("creating", () => {
  test("finds the same sandbox for the same agent and folder, and names it after both", async () => {
    const first = await yard.sandboxes.create(OWNER, { agent: "shell", workspace: yard.workspace });
    const again = await yard.sandboxes.create(OWNER, { agent: "shell", workspace: yard.workspace });
    expect(first.sandbox).toMatchObject({
      name: "shell-My-Project",
      status: "created",
      owner: OWNER,
    });
    expect([first.created, again.created]).toEqual([true, false]);
    expect(again.sandbox.id).toBe(first.sandbox.id);
  });

  test("at the same moment finds the same sandbox too", async () => {
    const ids = await Promise.all([yard.make(), yard.make(), yard.make()]);
    expect(new Set(ids).size).toBe(1);
  });

  test("gives another folder of the same name, and another agent, a name of its own", async () => {
    const other = join(yard.root, "elsewhere/My Project");
    mkdirSync(other, { recursive: true });
    await yard.make();
    await yard.make({ workspace: other });
    await yard.make({ agent: "other" });
    const names = (await yard.sandboxes.list(OWNER)).map(({ name }) => name);
    expect(names).toEqual(["shell-My-Project", "shell-My-Project-2", "other-My-Project"]);
    expect(await yard.sandboxes.list("local:8")).toEqual([]);
  });

  test("does not find one that is being removed, and makes a new one once it is gone", async () => {
    const id = await yard.make();
    const gone = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    yard.provider.destroy = async () => {
      begun.resolve();
      await gone.promise;
    };
    const removed = yard.sandboxes.remove(id);
    await begun.promise;
    await expect(yard.make()).rejects.toEqual(code("SANDBOX_BUSY"));
    gone.resolve();
    await removed;
    expect(await yard.make()).not.toBe(id);
  });

  test("makes a new one each time when it is ephemeral", async () => {
    const ids = [
      await yard.make(),
      await yard.make({ ephemeral: true }),
      await yard.make({ ephemeral: true }),
    ];
    expect(new Set(ids).size).toBe(3);
    expect((await yard.sandboxes.list(OWNER))[1]?.name).toMatch(/^shell-My-Project-[0-9a-f]{6}$/);
    expect(await yard.make()).toBe(ids[0]);
  });

  test.each<[string, SandboxCreate]>([
    ["agent", { agent: "other" }],
    ["workspace", { workspace: null }],
    ["workspace mode", { mode: "readonly" }],
    ["policy", { policy: { preset: "locked" } }],
    ["allow rules", { allow: ["a.example"] }],
    ["limits", { limits: { cpus: 1 } }],
    ["environment", { environment: { A: "1" } }],
  ])("refuses another %s under a name in use, and says so", async (what, change) => {
    await yard.make({ name: "mine" });
    const again = yard.make({ name: "mine", ...change });
    await expect(again).rejects.toEqual(code("NAME_IN_USE"));
    await expect(again).rejects.toThrow(`its ${what}`);
  });

  test("takes a name alone for what exists, and leaves open what is not said", async () => {
    const id = await yard.make({
      name: "mine",
      allow: ["a.example", "b.example"],
      mode: "readonly",
    });
    const again = await yard.sandboxes.create(OWNER, {
      name: "mine",
      allow: ["b.example", "a.example"],
    });
    expect(again.sandbox.id).toBe(id);
    await expect(yard.sandboxes.create(OWNER, { name: "new" })).rejects.toEqual(
      code("SANDBOX_NOT_FOUND"),
    );
    await expect(yard.sandboxes.create(OWNER, {})).rejects.toEqual(code("REQUEST_INVALID"));
  });

  test.each<[string, SandboxCreate]>([
    ["AGENT_UNKNOWN", { agent: "nobody" }],
    ["PROVIDER_UNKNOWN", { provider: "nowhere" }],
    ["PROVIDER_UNSUPPORTED", { isolation: "microvm" }],
    ["WORKSPACE_MODE_UNAVAILABLE", { mode: "overlay" }],
    ["WORKSPACE_MODE_UNAVAILABLE", { mode: "clone" }],
    ["WORKSPACE_MISSING", { workspace: "/nonexistent/folder" }],
    ["WORKSPACE_FORBIDDEN", { workspace: "/" }],
    ["LIMITS_UNAVAILABLE", { limits: { pids: 100 } }],
    ["ENVIRONMENT_INVALID", { environment: { AGENT_KEY: "secret" } }],
    ["REQUEST_INVALID", { toolchains: ["/"] }],
    ["REQUEST_INVALID", { toolchains: ["/nonexistent/tool"] }],
    ["POLICY_UNKNOWN", { policy: { preset: "whatever" } }],
    ["POLICY_INVALID", { allow: ["not a host!"] }],
    ["MIRROR_INVALID", { mirrors: { targets: "nonsense" } }],
  ])("is refused with %s, and leaves nothing: %j", async (expected, request) => {
    await expect(yard.make(request)).rejects.toEqual(code(expected));
    expect(await yard.sandboxes.list(OWNER)).toEqual([]);
  });

  test("shows no value of the environment and no certificate", async () => {
    const id = await yard.make({ environment: { A: "hidden-value" } });
    const shown = await yard.sandboxes.get(id);
    expect(shown.environmentNames).toEqual(["A"]);
    expect(JSON.stringify(shown)).not.toContain("hidden-value");
  });
});
