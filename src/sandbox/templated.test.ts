import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { OWNER, SandboxYard } from "../../test/support/sandbox-yard.ts";
import type { Sandbox, SandboxCreate } from "../protocol/sandbox.ts";

const code = (expected: string): unknown => expect.objectContaining({ code: expected });

let yard: SandboxYard;
beforeEach(async () => void (yard = await SandboxYard.open()));
afterEach(async () => {
  await yard.close();
  yard.remove();
});

async function make(change: SandboxCreate = {}): Promise<Sandbox> {
  const request = { template: { name: "team" }, workspace: yard.workspace, ...change };
  return (await yard.sandboxes.create(OWNER, request)).sandbox;
}

const TEAM = `version: 1
title: The team's
agent: shell
parameters:
  team: { type: string, default: blue }
environment: { TEAM: "\${parameters.team}" }
policy:
  preset: dev
  allow: ["\${parameters.team}.example"]
  deny: [evil.example]
workspace: { modes: [readonly, direct] }
lifetime: { idleStop: 30m, maxAge: 8h }
`;

describe("a sandbox made from a template", () => {
  test("is what the template says, and tells so", async () => {
    yard.writeTemplate("team", TEAM);
    const sandbox = await make();
    expect(sandbox).toMatchObject({
      name: "team-My-Project",
      agent: "shell",
      template: { name: "team", title: "The team's", origin: "user", parameters: { team: "blue" } },
      environmentNames: ["TEAM"],
      policy: { preset: "dev", allow: ["blue.example"], deny: ["evil.example"] },
      workspace: { mode: "readonly" },
      lifetime: { idleStopMs: 1_800_000, maxAgeMs: 28_800_000 },
    });
    expect(sandbox.origins).toMatchObject({
      mode: "template team",
      policy: "template team",
      idleStop: "template team",
      isolation: "built in",
    });
    const row = await yard.store.sandboxes.get(sandbox.id);
    expect(row?.specification.template).toMatchObject({ name: "team", agent: "shell" });
    expect(row?.specification.environment).toEqual({ TEAM: "blue" });
  });

  test("is found again by template and folder, and by agent and folder unless there is one made from none", async () => {
    yard.writeTemplate("team", TEAM);
    const first = await make();
    expect((await make()).id).toBe(first.id);
    expect(await yard.make()).toBe(first.id);
    const plain = await yard.make({ name: "plain" });
    expect(await yard.make()).toBe(plain);
    expect((await make()).id).toBe(first.id);
    await expect(make({ template: { name: "team", parameters: { team: "red" } } })).rejects.toEqual(
      code("NAME_IN_USE"),
    );
  });

  test("keeps what the template said then, whatever becomes of the file", async () => {
    yard.writeTemplate("team", TEAM);
    const { id } = await make();
    yard.writeTemplate("team", "version: 2\n");
    expect((await make()).id).toBe(id);
    await yard.run(id);
    expect((await yard.sandboxes.get(id)).template?.parameters).toEqual({ team: "blue" });
  });
});
