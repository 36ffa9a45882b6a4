import { describe, expect, test } from "vitest";
import type { SandboxCapabilities, SandboxProvider } from "../../sandbox/provider.ts";
import type { LayersContext } from "../../sandbox/life/starting.ts";
import type { SandboxRow } from "../../store/sandbox-rows.ts";
import { createFakeProvider } from "../../testing/fake/provider.ts";
import { findCheckingPlace } from "./checking-place.ts";

const signal = new AbortController().signal;
const fake = createFakeProvider();
const provide = (id: string, change: Partial<SandboxCapabilities> = {}): SandboxProvider => ({
  ...fake,
  id,
  declared: { ...fake.declared, ...change },
});
const here = provide("here");
const remote = provide("remote", { layers: false, egress: "address", isolation: ["remote"] });

const rowAt = (provider: string): SandboxRow =>
  ({
    id: "box",
    owner: "local:7",
    agent: "signing",
    provider,
    specification: { isolation: "namespaces", mirrors: null, layers: ["its-own"], regions: ["a"] },
  }) as unknown as SandboxRow;

/** Finds the place, and tells of which layers were asked for. */
async function find(provider: string, providers: readonly SandboxProvider[]) {
  const asked: LayersContext[] = [];
  const layersFor = async (_agent: string, context: LayersContext) => {
    asked.push(context);
    return ["made-there"];
  };
  const use = { row: rowAt(provider), regions: undefined, signal };
  return { place: await findCheckingPlace({ providers, layersFor }, use), asked };
}

describe("where a sign-in is looked at", () => {
  test("is what its sandbox stands on, at its own provider", async () => {
    const { place, asked } = await find("here", [remote, here]);
    expect(place).toMatchObject({ isolation: "namespaces", layers: ["its-own"], regions: ["a"] });
    expect(place.provider.id).toBe("here");
    expect(asked).toEqual([]);
  });

  test("is another provider where that one can hold no sandbox to the agent's hosts", async () => {
    const { place, asked } = await find("remote", [remote, here]);
    expect(place).toMatchObject({ layers: ["made-there"], mirrors: null, regions: ["a"] });
    expect(place.provider.id).toBe("here");
    expect(place).not.toHaveProperty("isolation");
    expect(asked).toMatchObject([{ owner: "local:7", provider: { id: "here" } }]);
  });

  test("is nowhere when no provider can, so that the sign-in is used as long as it lasts", async () => {
    await expect(find("remote", [remote])).rejects.toMatchObject({
      code: "SIGN_IN_RENEWAL_FAILED",
      message: expect.stringContaining("remote"),
    });
  });
});
