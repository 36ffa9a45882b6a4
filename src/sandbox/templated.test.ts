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

describe("what is asked for beside a template", () => {
  test.each<[string, SandboxCreate]>([
    ["a shorter life", { maxAgeMs: 60_000 }],
    ["another of its modes", { mode: "direct" }],
    ["a policy that lets less out", { policy: { preset: "locked" } }],
    ["more that is denied", { deny: ["b.example"] }],
    ["another variable", { environment: { MORE: "1" } }],
    ["what it does not mention", { toolchains: [] }],
  ])("may be %s, again and again", async (_, change) => {
    yard.writeTemplate("team", TEAM);
    const made = await make(change);
    expect((await make(change)).id).toBe(made.id);
    expect((await make()).id).toBe(made.id);
  });

  test.each<[string, SandboxCreate]>([
    ["maxAge", { maxAgeMs: 86_400_000 }],
    ["mode", { mode: "overlay" }],
    ["policy", { policy: { preset: "open" } }],
    ["policy", { policy: { file: { path: "/x", text: "allow: []" } } }],
    ["the variable TEAM", { environment: { TEAM: "red" } }],
  ])("is refused when it goes beyond: %s", async (what, change) => {
    yard.writeTemplate("team", TEAM);
    await expect(make(change)).rejects.toEqual(code("TEMPLATE_FIXED"));
    await expect(make(change)).rejects.toThrow(`The template team says what ${what} is`);
    expect(await yard.sandboxes.list(OWNER)).toEqual([]);
    // For one that exists no less.
    await make();
    await expect(make(change)).rejects.toEqual(code("TEMPLATE_FIXED"));
  });

  test("names the parameter that would change it", async () => {
    yard.writeTemplate("team", TEAM);
    await expect(make({ environment: { TEAM: "red" } })).rejects.toMatchObject({
      hint: expect.stringContaining("--param team=VALUE"),
    });
  });

  test("gives way where it merely stands in for what nobody said", async () => {
    yard.writeTemplate("team", TEAM);
    const template = { name: "team", yields: ["policy", "maxAge", "idleStop"] };
    const wide = { policy: { preset: "open" }, maxAgeMs: 86_400_000, idleStopMs: 1000 };
    expect(await make({ template, ...wide })).toMatchObject({
      policy: { preset: "dev" },
      lifetime: { maxAgeMs: 28_800_000, idleStopMs: 1000 },
    });
  });

  test.each([
    ["agentVersion", 'agents: { shell: { version: "${parameters.v}" } }'],
    ["loginProfile", 'identity: { profile: "${parameters.v}" }'],
    ["maxAgeMs", 'lifetime: { maxAge: "${parameters.v}" }'],
  ])("is held to the form of a request when it comes from a template: %s", async (what, line) => {
    const parameters = "parameters: { v: { type: string } }\n";
    yard.writeTemplate("team", `version: 1\nagent: shell\n${parameters}${line}\n`);
    const value = what === "maxAgeMs" ? "1ms" : "--evil=../../x";
    const made = make({ template: { name: "team", parameters: { v: value } } });
    await expect(made).rejects.toThrow(`gives its sandbox a ${what} that cannot be`);
  });

  test("is an agent that the template provides for", async () => {
    yard.writeTemplate("team", "version: 1\nagents: { shell: {}, other: {} }\n");
    await expect(make()).rejects.toEqual(code("REQUEST_INVALID"));
    expect((await make({ agent: "other" })).agent).toBe("other");
    await expect(make({ agent: "kiro", name: "x1" })).rejects.toEqual(code("TEMPLATE_FIXED"));
  });
});

describe("a template's limits", () => {
  test("are demanded of the machine, unless it says that they need not be", async () => {
    yard.writeTemplate("team", "version: 1\nagent: shell\nlimits: { cpus: 1, memory: 1g }\n");
    await expect(make()).rejects.toEqual(code("LIMITS_UNAVAILABLE"));
    yard.writeTemplate("team", "version: 1\nagent: shell\nlimits: { cpus: 1, required: false }\n");
    expect((await make()).limits).toEqual({});
  });

  test("that a parameter makes nonsense of are refused", async () => {
    const parameters = "parameters: { size: { type: string, default: 2g } }\n";
    const text = `version: 1\nagent: shell\n${parameters}limits: { memory: "\${parameters.size}" }\n`;
    yard.writeTemplate("team", text);
    const choice = { name: "team", parameters: { size: "much" } };
    await expect(make({ template: choice })).rejects.toEqual(code("PARAMETER_INVALID"));
  });
});

describe("what a template forbids", () => {
  const ceiling = "preset: agent\nallow: [a.example]\ndeny: [never.example]\n";

  test("nobody allows later: its ceiling, its parents' and its denied rules stay above all", async () => {
    yard.writeTemplate(
      "base",
      {
        "cattlegrid.template.yaml":
          "version: 1\npolicy: { ceiling: most.yaml, deny: [evil.example] }\n",
        "most.yaml": ceiling,
      },
      "organisation",
    );
    yard.writeTemplate(
      "team",
      "version: 1\nextends: base\nagent: shell\npolicy: { preset: open }\n",
    );
    const { id } = await make();
    const { policies } = yard.sandboxes;
    for (const rule of ["b.example", "never.example", "evil.example"]) {
      await expect(policies.add(id, { effect: "allow", rule })).rejects.toEqual(
        code("POLICY_BEYOND_CEILING"),
      );
      const forecast = await policies.check(id, { url: `https://${rule}/` });
      expect(forecast.action).toBe("deny");
    }
    expect((await policies.check(id, { url: "https://a.example/" })).action).toBe("allow");
    await expect(policies.remove(id, "evil.example")).rejects.toEqual(code("POLICY_RULE_FIXED"));
  });
});

describe("parameters of a sandbox", () => {
  const TEXT = `version: 1
agent: shell
parameters:
  team: { type: choice, choices: [blue, red], default: blue, mutable: true }
  size: { type: number, min: 1, max: 4, default: 2 }
environment: { TEAM: "\${parameters.team}" }
`;

  test("change at the next start, where they are mutable", async () => {
    yard.writeTemplate("team", TEXT);
    const { id } = await make();
    yard.writeTemplate("team", "version: 1\n");
    await yard.run(id);
    const set = await yard.sandboxes.setParameters(id, { team: "red" });
    expect(set.parameters[0]).toMatchObject({ name: "team", value: "blue", next: "red" });
    const environment = async () => (await yard.store.sandboxes.get(id))?.specification.environment;
    expect(await environment()).toEqual({ TEAM: "blue" });
    await yard.sandboxes.stop(id);
    await yard.run(id);
    expect(await environment()).toEqual({ TEAM: "red" });
    expect(yard.provider.specifications.get(id)?.environment).toMatchObject({ TEAM: "red" });
    const shown = await yard.sandboxes.showParameters(id);
    expect(shown.parameters[0]).toMatchObject({ value: "red" });
    expect(shown.parameters[0]).not.toHaveProperty("next");
  });

  test("that are set while it starts count from the start after", async () => {
    yard.writeTemplate("team", TEXT);
    const { id } = await make();
    yard.provider.beforeStart = async () => {
      yard.provider.beforeStart = undefined;
      await yard.sandboxes.setParameters(id, { team: "red" });
    };
    await yard.run(id);
    const answers = async () => (await yard.sandboxes.showParameters(id)).parameters[0];
    expect(await answers()).toMatchObject({ value: "blue", next: "red" });
    await yard.sandboxes.stop(id);
    await yard.run(id);
    expect(await answers()).toMatchObject({ value: "red" });
  });

  test("that are set while its layers are made are not lost", async () => {
    const layersFor = async (): Promise<readonly string[]> => {
      const [sandbox] = await yard.sandboxes.list(OWNER);
      if (sandbox?.template?.parameters["team"] === "blue") {
        await yard.sandboxes.setParameters(sandbox.id, { team: "red" });
      }
      return [];
    };
    await yard.close();
    yard.remove();
    yard = await SandboxYard.open({ layersFor });
    yard.writeTemplate("team", TEXT);
    const { id } = await make();
    await yard.run(id);
    expect((await yard.sandboxes.showParameters(id)).parameters[0]).toMatchObject({ next: "red" });
  });

  test("stay where they are not, and where a value makes no sense", async () => {
    yard.writeTemplate("team", TEXT);
    const { id } = await make();
    const set = (given: Record<string, string | number>) => yard.sandboxes.setParameters(id, given);
    await expect(set({ team: "red", size: 3 })).rejects.toEqual(code("PARAMETER_IMMUTABLE"));
    await expect(set({ team: "green" })).rejects.toEqual(code("PARAMETER_INVALID"));
    await expect(set({ tem: "red" })).rejects.toThrow("Did you mean team?");
    const { parameters } = await set({ size: 2 });
    expect(parameters.filter(({ next }) => next !== undefined)).toEqual([]);
  });

  test("are refused before anything is made: out of range, unknown, and all that are missing", async () => {
    yard.writeTemplate("team", TEXT.replaceAll(/default: \w+, mutable/g, "mutable"));
    const parameters = (given: Record<string, number | string>) =>
      make({ template: { name: "team", parameters: given } });
    await expect(parameters({})).rejects.toMatchObject({
      code: "PARAMETER_MISSING",
      details: { parameters: ["team"] },
    });
    await expect(parameters({ team: "red", size: 9 })).rejects.toMatchObject({
      code: "PARAMETER_INVALID",
      hint: "Give a number from 1 to 4.",
    });
    expect(await yard.sandboxes.list(OWNER)).toEqual([]);
    expect((await parameters({ team: "red", size: "3" })).template?.parameters).toEqual({
      team: "red",
      size: 3,
    });
  });

  test("that name secrets become bindings, and no value of a secret is kept or told", async () => {
    const text =
      'version: 1\nagent: shell\nparameters: { key: { type: secret } }\nenvironment: { KEY: "${parameters.key}" }\n';
    yard.writeTemplate("team", text);
    const choose = (key: string) => make({ template: { name: "team", parameters: { key } } });
    for (const mistake of ["sk-live/+=a secret", "sk-live-secret"]) {
      const refused: unknown = await choose(mistake).catch((error: unknown) => error);
      expect(refused).toEqual(code("PARAMETER_INVALID"));
      expect(JSON.stringify(refused) + String(refused)).not.toContain("sk-live");
    }
    const signal = AbortSignal.timeout(10_000);
    await yard.secrets.set({ owner: OWNER, name: "team-key" }, { value: "hunter2" }, signal);
    const sandbox = await choose("team-key");
    expect(sandbox).toMatchObject({ bindings: { KEY: "team-key" }, environmentNames: [] });
    expect(JSON.stringify(await yard.store.sandboxes.get(sandbox.id))).not.toContain("hunter2");
  });
});

test("a sandbox made anew follows what its template says now, with the answers that were given", async () => {
  yard.writeTemplate("team", TEAM);
  const { id } = await make({ template: { name: "team", parameters: { team: "red" } } });
  yard.writeTemplate("team", TEAM.replace("30m", "10m"));
  const { sandbox } = await yard.sandboxes.upkeep.recreate(id, {}, AbortSignal.timeout(10_000));
  expect(sandbox).toMatchObject({
    name: "team-My-Project",
    template: { parameters: { team: "red" } },
    lifetime: { idleStopMs: 600_000 },
  });
  // One that the template refuses is left as it was.
  yard.writeTemplate("team", "version: 1\nbroken\n");
  const again = yard.sandboxes.upkeep.recreate(sandbox.id, {}, AbortSignal.timeout(10_000));
  await expect(again).rejects.toEqual(code("TEMPLATE_INVALID"));
  expect((await yard.sandboxes.list(OWNER)).map((each) => each.id)).toEqual([sandbox.id]);
});
