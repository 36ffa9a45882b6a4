import { mkdtempSync, realpathSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { OWNER, SandboxYard } from "../../../test/support/sandbox-yard.ts";
import { createCeilings, type Ceilings } from "../../egress/ceiling/ceilings.ts";
import { SILENT_LOGGER } from "../../platform/logger.ts";
import type { EgressRecord } from "../../protocol/egress.ts";
import { createGatewayGates } from "./gateway-gates.ts";
import type { Gates } from "./gates.ts";

const code = (expected: string): unknown => expect.objectContaining({ code: expected });

let yard: SandboxYard;
let ceilingPath: string;
let ceilings: Ceilings;
/** What each policy that came into force allowed. */
let inForce: string[][];

async function openYard(root = mkdtempSync(join(tmpdir(), "cg-policies-"))): Promise<SandboxYard> {
  inForce = [];
  ceilingPath = join(root, "ceiling.yaml");
  ceilings = createCeilings([{ path: ceilingPath, isRequired: false }]);
  const directory = join(root, "egress");
  const authorityFile = join(root, "authority.pem");
  const gates = createGatewayGates({ directory, authorityFile, logger: SILENT_LOGGER, ceilings });
  return SandboxYard.open({ gates: watchGates(gates) }, realpathSync(root));
}

function watchGates(gates: Gates): Gates {
  return {
    ...gates,
    prepare(request) {
      const prepared = gates.prepare(request);
      return {
        ...prepared,
        async open() {
          const gate = await prepared.open();
          const { setPolicy } = gate;
          gate.setPolicy = (policy) => {
            inForce.push(policy.allow.map(({ text }) => text));
            setPolicy.call(gate, policy);
          };
          return gate;
        },
      };
    },
  };
}

beforeEach(async () => void (yard = await openYard()));
afterEach(async () => {
  await yard.close();
  yard.remove();
});

const policies = () => yard.sandboxes.policies;
const texts = async (id: string) => (await policies().show(id)).rules.map(({ text }) => text);

async function recordsOf(id: string): Promise<EgressRecord[]> {
  const signal = new AbortController().signal;
  const records: EgressRecord[] = [];
  for await (const record of yard.sandboxes.egress(id, { follow: false, signal })) {
    records.push(record);
  }
  return records;
}

describe("a change of policy", () => {
  test("holds in the gateway when it resolves, is shown and recorded", async () => {
    const id = await yard.make({ policy: { preset: "locked" } });
    await yard.run(id);
    const { rule } = await policies().add(id, {
      effect: "allow",
      rule: "a.example",
      reason: "why",
    });
    expect(rule).toMatchObject({ text: "a.example:443,tls", source: "change", reason: "why" });
    expect(inForce.at(-1)).toEqual(["a.example:443,tls"]);
    expect(await policies().check(id, { url: "https://a.example" })).toMatchObject({
      action: "allow",
      rule: { id: rule.id },
    });
    expect((await policies().remove(id, "a.example")).rules).toMatchObject([{ id: rule.id }]);
    expect(inForce.at(-1)).toEqual([]);
    await yard.sandboxes.stop(id);
    expect(await recordsOf(id)).toMatchObject([
      { kind: "policy", action: "allow", rule: { text: rule.text } },
      { kind: "policy", reason: "a person took it away" },
    ]);
  });

  test("of a stopped sandbox is recorded too, and all survive stop, start and a new engine", async () => {
    const id = await yard.make({ policy: { preset: "locked" }, allow: ["c.example"] });
    await policies().add(id, { effect: "allow", rule: "a.example" });
    await policies().add(id, { effect: "deny", rule: "b.example:22" });
    await policies().remove(id, "c.example");
    expect((await recordsOf(id)).length).toBe(3);
    await yard.run(id);
    await yard.sandboxes.stop(id);
    await yard.close();
    yard = await openYard(yard.root);
    expect(await texts(id)).toEqual(["a.example:443,tls", "b.example:22"]);
    await yard.run(id);
    expect(inForce.at(-1)).toEqual(["a.example:443,tls"]);
  });

  test("made while the sandbox starts is in force when it runs", async () => {
    const id = await yard.make({ policy: { preset: "locked" } });
    yard.provider.beforeStart = async () => {
      await policies().add(id, { effect: "allow", rule: "a.example" });
    };
    await yard.run(id);
    expect(inForce.at(-1)).toEqual(["a.example:443,tls"]);
  });

  test("is refused whole when the rule is wrong, unknown or a ceiling's", async () => {
    writeFileSync(ceilingPath, "allow: [a.example]\ndeny: [b.example]\n");
    const id = await yard.make({ policy: { preset: "locked" } });
    const add = (rule: string) => policies().add(id, { effect: "allow", rule });
    await expect(add("exam ple")).rejects.toEqual(code("POLICY_INVALID"));
    await expect(add("*.com")).rejects.toEqual(code("POLICY_INVALID"));
    await expect(add("b.example")).rejects.toEqual(code("POLICY_BEYOND_CEILING"));
    await expect(add("c.example")).rejects.toEqual(code("POLICY_BEYOND_CEILING"));
    await expect(policies().remove(id, "z.example")).rejects.toEqual(code("POLICY_RULE_UNKNOWN"));
    await expect(policies().remove(id, "b.example")).rejects.toEqual(code("POLICY_RULE_FIXED"));
    expect(await texts(id)).toEqual(["b.example:*"]);
    expect((await policies().show(id)).ceilings).toMatchObject([
      { layer: "organisation", path: ceilingPath, rules: [{ text: "a.example:443,tls" }] },
    ]);
    await add("a.example");
    expect(await texts(id)).toEqual(["a.example:443,tls", "b.example:*"]);
  });

  test("that another rule still denies says so", async () => {
    const id = await yard.make({ deny: ["a.example"] });
    const { notice } = await policies().add(id, { effect: "allow", rule: "a.example" });
    expect(notice).toMatch(
      /^It is still denied by rule a\.example:\*: cattlegrid policy rm .* deny-/,
    );
  });
});

describe("a ceiling", () => {
  test("that changes holds for what runs, and one that breaks stays as it was and starts nothing", async () => {
    writeFileSync(ceilingPath, "preset: open\n");
    const id = await yard.make({ policy: { preset: "locked" }, allow: ["a.example"] });
    const other = await yard.make({ policy: { preset: "locked" }, name: "stopped" });
    await yard.run(id);
    const decided = async () =>
      (await policies().check(id, { url: "https://a.example" })).reasonCode;
    expect(await decided()).toBe("allowed");
    writeFileSync(ceilingPath, "allow: [b.example]\ndeny: [c.example]\n");
    await policies().renew(ceilings.look());
    expect([inForce.length, await decided()]).toEqual([2, "beyond-ceiling"]);
    writeFileSync(ceilingPath, "allow: [\n");
    await policies().renew(ceilings.look());
    expect([inForce.at(-1), await decided()]).toEqual([["a.example:443,tls"], "beyond-ceiling"]);
    await expect(yard.run(other)).rejects.toEqual(code("POLICY_INVALID"));
    await yard.sandboxes.stop(id);
    const told = (await recordsOf(id)).map(({ action, rule, reason }) => [
      action,
      rule?.text,
      reason,
    ]);
    expect(told).toContainEqual([
      "allow",
      "b.example:443,tls",
      "the organisation policy has it now",
    ]);
    expect(told).toContainEqual(["deny", "c.example:*", "the organisation policy has it now"]);
    expect(told).toContainEqual(["allow", "**:*,opaque", "the organisation policy has it no more"]);
    expect(told.at(-1)).toEqual([
      "error",
      undefined,
      expect.stringContaining("the organisation's policy cannot be read"),
    ]);
  });

  test("that breaks or goes too far while a sandbox runs, and never could be read, lets nothing out of it", async () => {
    const id = await yard.make({ policy: { preset: "open" } });
    await yard.run(id);
    expect(inForce.at(-1)?.length).toBe(3);
    writeFileSync(ceilingPath, "allow: [\n");
    await policies().refresh(id);
    expect(inForce.at(-1)).toEqual([]);
    await expect(policies().show(id)).rejects.toEqual(code("POLICY_INVALID"));
    await yard.sandboxes.stop(id);
    await expect(yard.run(id)).rejects.toEqual(code("POLICY_INVALID"));
    writeFileSync(ceilingPath, "allow: []\n");
    await yard.run(id);
    expect(await policies().check(id, { url: "https://a.example" })).toMatchObject({
      reasonCode: "beyond-ceiling",
    });
  });
});

describe("a grant for a session", () => {
  test("ends with that session, and needs one that is open", async () => {
    const id = await yard.make({ policy: { preset: "locked" } });
    await yard.run(id);
    const grant = { effect: "allow", rule: "a.example", session: "s-1" } as const;
    await expect(policies().add(id, grant)).rejects.toEqual(code("SESSION_NOT_FOUND"));
    await yard.store.sessions.insert({
      id: "s-1",
      owner: OWNER,
      sandboxId: id,
      agent: "shell",
      kind: "interactive",
      status: "running",
      turns: 0,
      createdAt: new Date().toISOString(),
    });
    const { rule } = await policies().add(id, grant);
    expect([rule.source, inForce.at(-1)]).toEqual(["session", ["a.example:443,tls"]]);
    await policies().endSession(id, "s-2");
    expect(inForce.at(-1)).toEqual(["a.example:443,tls"]);
    await policies().endSession(id, "s-1");
    expect([await texts(id), inForce.at(-1)]).toEqual([[], []]);
  });
});
