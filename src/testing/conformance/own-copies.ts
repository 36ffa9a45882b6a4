import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { answerOf, NEVER, SandboxYard, write, type Subject } from "./sandbox-yard.ts";

/** Mode `overlay`: what is written lies over the workspace until somebody takes it. */
export function describeOverlay({ makeProvider }: Subject): void {
  describe("workspace mode overlay", () => {
    let yard: SandboxYard;
    beforeAll(() => {
      yard = new SandboxYard(makeProvider);
    });
    afterAll(async () => yard.close());

    test("what is written stays out of the workspace, outlives a stop, and goes when it is dropped", async () => {
      const path = yard.makeDirectory("overlaid");
      writeFileSync(join(path, "old"), "before");
      const specification = yard.specify({ workspace: { path, mode: "overlay" } });
      await yard.provider.create(specification, NEVER);
      const first = await yard.startAgain(specification);
      await write(first, join(path, "old"), "after");
      await write(first, join(path, "new"), "made");
      expect(readFileSync(join(path, "old"), "utf8")).toBe("before");
      expect(existsSync(join(path, "new"))).toBe(false);
      const { overlays } = yard.provider;
      const busy = await overlays?.discard(specification.id).catch((error: unknown) => error);
      expect(busy).toMatchObject({ code: "SANDBOX_BUSY" });
      await first.stop();
      const found = await overlays?.find(specification.id);
      expect(readdirSync(found?.upper ?? "").toSorted()).toEqual(["new", "old"]);
      const second = await yard.startAgain(specification);
      expect(await answerOf(second, ["cat", join(path, "old")])).toBe("after");
      await second.stop();
      await overlays?.discard(specification.id);
      const third = await yard.startAgain(specification);
      expect(await answerOf(third, ["cat", join(path, "old")])).toBe("before");
      expect(await answerOf(third, ["ls", "-A", path])).toBe("old");
      await third.stop();
      await yard.provider.destroy(specification.id);
      expect(readdirSync(path)).toEqual(["old"]);
    });

    test("a sandbox in another mode has none", async () => {
      const path = yard.makeDirectory("plain");
      const sandbox = await yard.start({ workspace: { path, mode: "readonly" } });
      expect(await yard.provider.overlays?.find(sandbox.id)).toBe(undefined);
    });
  });
}

/** Mode `clone`: another directory stands in for the workspace. */
export function describeClone({ makeProvider }: Subject): void {
  describe("workspace mode clone", () => {
    let yard: SandboxYard;
    beforeAll(() => {
      yard = new SandboxYard(makeProvider);
    });
    afterAll(async () => yard.close());

    test("the directory that stands in is seen at the workspace's path, and that is not touched", async () => {
      const path = yard.makeDirectory("original");
      const source = yard.makeDirectory("stand-in");
      writeFileSync(join(path, "f"), "original");
      writeFileSync(join(source, "f"), "stand-in");
      const sandbox = await yard.start({ workspace: { path, mode: "clone", source } });
      expect(await answerOf(sandbox, ["cat", join(path, "f")])).toBe("stand-in");
      await write(sandbox, join(path, "new"), "made");
      expect(readFileSync(join(source, "new"), "utf8")).toBe("made");
      expect(readdirSync(path)).toEqual(["f"]);
    });
  });
}
