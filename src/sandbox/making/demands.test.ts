import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { OWNER, SandboxYard } from "../../../test/support/sandbox-yard.ts";
import type { SandboxCreate } from "../../protocol/sandbox.ts";
import { requireCapabilities, type Demands } from "./demands.ts";
import type { PresentCapabilities } from "../provider.ts";

const ALL: PresentCapabilities = {
  isolation: ["container", "gvisor"],
  workspaceModes: ["direct", "readonly", "overlay"],
  workspaceFiles: "shared",
  layers: true,
  egress: "enforced",
  limits: ["cpus", "memory", "pids"],
  ports: true,
  snapshot: false,
  warmPool: false,
};
const MODEST: Demands = { limits: {}, egress: "enforced" };

function refusal(demands: Partial<Demands>, less: Partial<PresentCapabilities>): unknown {
  try {
    const offer = { provider: "other", capabilities: { ...ALL, ...less } };
    requireCapabilities({ ...MODEST, ...demands }, offer);
    return undefined;
  } catch (error) {
    return error;
  }
}

describe("a demand that the provider does not meet", () => {
  test.each<[string, Partial<Demands>, Partial<PresentCapabilities>, RegExp]>([
    ["PROVIDER_UNSUPPORTED", { isolation: "microvm" }, {}, /--isolation container or gvisor/],
    ["PROVIDER_UNSUPPORTED", { isolation: "gvisor" }, { isolation: ["none"] }, /Leave out/],
    ["ISOLATION_UNAVAILABLE", {}, { isolation: [] }, /doctor/],
    [
      "ISOLATION_UNAVAILABLE",
      { isolation: "gvisor" },
      {
        isolation: ["container"],
        lacking: [{ isolation: "gvisor", why: "no runtime of that name", remedy: "Install it." }],
      },
      /^Install it\.$/,
    ],
    ["WORKSPACE_MODE_UNAVAILABLE", { mode: "clone" }, {}, /--mode direct or readonly or overlay/],
    ["LIMITS_UNAVAILABLE", { limits: { cpus: 2 } }, { limits: ["pids"] }, /--cpus/],
    ["LIMITS_UNAVAILABLE", { limits: { memoryBytes: 2 ** 30 } }, { limits: ["cpus"] }, /--memory/],
    ["LIMITS_UNAVAILABLE", { limits: { pids: 99 } }, { limits: ["cpus", "memory"] }, /./],
    ["PROVIDER_UNSUPPORTED", { egress: "enforced" }, { egress: "address" }, /--policy locked/],
    [
      "PROVIDER_UNSUPPORTED",
      { egress: "enforced", hasMirrors: true },
      { egress: "address" },
      /Unset CATTLEGRID_MIRRORS/,
    ],
    ["PROVIDER_UNSUPPORTED", { egress: "enforced" }, { egress: "cooperative" }, /`enforced`/],
    ["PROVIDER_UNSUPPORTED", { egress: "enforced" }, { egress: "none" }, /`enforced`/],
    ["PROVIDER_UNSUPPORTED", { egress: "address" }, { egress: "cooperative" }, /`enforced`/],
    ["PROVIDER_UNSUPPORTED", { egress: "address" }, { egress: "none" }, /`enforced`/],
  ])("is refused with %s: %j of %j", (...row) => {
    const [code, demands, less, hint] = row;
    expect(refusal(demands, less)).toMatchObject({ code, hint: expect.stringMatching(hint) });
    expect(
      refusal(demands, {
        isolation: ["container", "gvisor", "microvm"],
        workspaceModes: ["clone"],
      }),
    ).toBe(undefined);
  });

  test("is met by what can do more", () => {
    expect(refusal({ egress: "address" }, { egress: "address" })).toBe(undefined);
    expect(refusal({ egress: "address" }, { egress: "enforced" })).toBe(undefined);
    expect(refusal({ isolation: "gvisor", mode: "overlay", limits: { pids: 9 } }, {})).toBe(
      undefined,
    );
  });
});

describe("what a machine can do no longer", () => {
  let yard: SandboxYard;
  let present: PresentCapabilities;
  beforeEach(async () => {
    yard = await SandboxYard.open();
    present = { ...ALL, isolation: ["namespaces", "gvisor"] };
    yard.provider.capabilities = async () => present;
  });
  afterEach(async () => {
    await yard.close();
    yard.remove();
  });

  test.each<[string, SandboxCreate, Partial<PresentCapabilities>]>([
    ["PROVIDER_UNSUPPORTED", { isolation: "gvisor" }, { isolation: ["namespaces"] }],
    ["WORKSPACE_MODE_UNAVAILABLE", { mode: "readonly" }, { workspaceModes: ["direct"] }],
    ["LIMITS_UNAVAILABLE", { limits: { pids: 100 } }, { limits: [] }],
    ["PROVIDER_UNSUPPORTED", {}, { egress: "cooperative" }],
  ])("is refused at the next start with %s, and nothing has run: %j", async (code, wish, less) => {
    const id = await yard.make(wish);
    present = { ...present, ...less };
    await expect(yard.run(id)).rejects.toMatchObject({ code });
    expect([await yard.statusOf(id), yard.provider.starts]).toEqual(["stopped", 0]);
    present = { ...present, ...ALL, isolation: ["namespaces", "gvisor"] };
    await yard.run(id);
    expect(await yard.statusOf(id)).toBe("running");
  });

  test("a provider that knows addresses alone takes a policy that lets nothing out, and no rule more", async () => {
    present = { ...present, egress: "address" };
    await expect(yard.make({ name: "open" })).rejects.toMatchObject({
      code: "PROVIDER_UNSUPPORTED",
      message:
        "The egress policy judges by name, port and protocol; of egress the sandbox provider process states `address`.",
    });
    expect(await yard.sandboxes.list(OWNER)).toEqual([]);
    const id = await yard.make({ name: "locked", policy: { preset: "locked" } });
    const rule = { effect: "allow", rule: "registry.example" } as const;
    await yard.run(id);
    await expect(yard.sandboxes.policies.add(id, rule)).rejects.toMatchObject({
      code: "PROVIDER_UNSUPPORTED",
    });
    expect((await yard.sandboxes.policies.show(id)).rules).toEqual([]);
    await yard.sandboxes.policies.add(id, { effect: "deny", rule: "registry.example" });
    expect(await yard.sandboxes.get(id)).toMatchObject({ status: "running", egress: "address" });
  });

  test("ports of a sandbox whose provider reaches none are refused", async () => {
    const id = await yard.make();
    await yard.run(id);
    await expect(yard.sandboxes.ports.publish(id, { port: 8080 })).rejects.toMatchObject({
      code: "PROVIDER_UNSUPPORTED",
      hint: "Make the sandbox with a provider that states `ports`, such as the default one.",
    });
    expect(yard.sandboxes.ports.list(id)).toEqual([]);
  });
});
