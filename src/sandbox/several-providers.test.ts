import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  createProcessProvider,
  type ProcessProvider,
} from "../../test/support/process-provider.ts";
import { OWNER, SandboxYard } from "../../test/support/sandbox-yard.ts";
import { CattlegridError } from "../errors/error.ts";

const code = (expected: string): unknown => expect.objectContaining({ code: expected });

let yard: SandboxYard;
let second: ProcessProvider;

async function open(): Promise<void> {
  const probe = await SandboxYard.open();
  await probe.close();
  const first = createProcessProvider(join(probe.root, "provider"));
  second = createProcessProvider(join(probe.root, "second"), "second");
  yard = await SandboxYard.open({ providers: [first, second] }, probe.root);
}

/** The engine again, over the same state. */
async function openAgain(providers: readonly ProcessProvider[]): Promise<void> {
  await yard.close();
  yard = await SandboxYard.open({ providers }, yard.root);
}

beforeEach(async () => open());
afterEach(async () => {
  await yard.close();
  yard.remove();
});

describe("an engine with several sandbox providers", () => {
  test("makes each sandbox with the one it was asked for, the first by default", async () => {
    const one = await yard.make({ name: "one" });
    const two = await yard.make({ name: "two", provider: "second" });
    await Promise.all([yard.run(one), yard.run(two)]);
    expect([...second.specifications.keys()]).toEqual([two]);
    const shown = await yard.sandboxes.list(OWNER);
    expect(shown.map(({ name, provider }) => [name, provider])).toEqual([
      ["one", "process"],
      ["two", "second"],
    ]);
    await yard.sandboxes.remove(two);
    expect(existsSync(join(yard.root, "second/homes", two))).toBe(false);
    expect(await yard.statusOf(one)).toBe("running");
  });

  test("refuses a provider that it does not have, with the names of those it has", async () => {
    const refused = await yard.make({ provider: "thrid" }).catch((error: unknown) => error);
    expect(refused).toMatchObject({
      code: "PROVIDER_UNKNOWN",
      hint: "Use --provider process or second.",
    });
    expect(await yard.sandboxes.list(OWNER)).toEqual([]);
  });

  test("does not pass one provider's sandbox off as another's", async () => {
    await yard.make({ name: "one" });
    await expect(yard.make({ name: "one", provider: "second" })).rejects.toMatchObject({
      code: "NAME_IN_USE",
      message: "The sandbox one exists already, and its provider is process, not second.",
    });
  });

  test("lets each provider reap what it left itself, and keeps what is still wanted", async () => {
    const kept = await yard.make({ name: "kept", provider: "second" });
    await yard.run(kept);
    await second.create({ ...second.specifications.get(kept)!, id: "leftover" }, NEVER);
    await openAgain([createProcessProvider(join(yard.root, "provider")), second]);
    await yard.sandboxes.recovered();
    expect(existsSync(join(yard.root, "second/homes/leftover"))).toBe(false);
    await yard.run(kept);
    expect(await yard.statusOf(kept)).toBe("running");
  });

  test("one whose backend is away keeps no other from starting, and is tried again", async () => {
    const one = await yard.make({ name: "one" });
    const two = await yard.make({ name: "two", provider: "second" });
    const { reap } = second;
    let isAway = true;
    second.reap = async (keep) => {
      if (isAway) throw new CattlegridError("DEPENDENCY_MISSING", "It does not answer.");
      return reap(keep);
    };
    await openAgain([createProcessProvider(join(yard.root, "provider")), second]);
    await yard.run(one);
    await expect(yard.run(two)).rejects.toEqual(code("DEPENDENCY_MISSING"));
    isAway = false;
    await yard.run(two);
    expect(await yard.statusOf(two)).toBe("running");
  });
});

describe("a sandbox whose provider is not here any more", () => {
  let id: string;
  beforeEach(async () => {
    id = await yard.make({ name: "orphan", provider: "second" });
    await yard.run(id);
    await openAgain([createProcessProvider(join(yard.root, "provider"))]);
  });

  test("is listed as it is, and neither started, made anew, fetched nor removed", async () => {
    expect(await yard.sandboxes.list(OWNER)).toMatchObject([
      { name: "orphan", provider: "second", status: "stopped" },
    ]);
    const refused = await yard.run(id).catch((error: unknown) => error);
    expect(refused).toMatchObject({
      code: "PROVIDER_ABSENT",
      message:
        "The sandbox orphan belongs to the sandbox provider second, and there is only process here.",
    });
    expect((refused as CattlegridError).hint).not.toBe("");
    await expect(yard.sandboxes.remove(id)).rejects.toEqual(code("PROVIDER_ABSENT"));
    await expect(yard.sandboxes.upkeep.recreate(id, {}, NEVER)).rejects.toEqual(
      code("PROVIDER_ABSENT"),
    );
    expect(await yard.sandboxes.upkeep.prunable(OWNER, 0)).toMatchObject({ sandboxes: [] });
    expect((await yard.sandboxes.list(OWNER)).map(({ status }) => status)).toEqual(["stopped"]);
    expect(existsSync(join(yard.root, "second/homes", id))).toBe(true);
  });

  test("keeps nothing else from running, and works again where its provider is", async () => {
    await yard.run(await yard.make({ name: "other" }));
    await openAgain([createProcessProvider(join(yard.root, "provider")), second]);
    await yard.run(id);
    expect(await yard.statusOf(id)).toBe("running");
  });
});

const NEVER = new AbortController().signal;
