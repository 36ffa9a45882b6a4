import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { answerOf, NEVER, run, SandboxYard, write, type Subject } from "./sandbox-yard.ts";

export function describeLife({ makeProvider, home, differences }: Subject): void {
  const keepsTemporary = differences.includes("kept-tmp");
  describe("life", () => {
    let yard: SandboxYard;
    beforeAll(() => {
      yard = new SandboxYard(makeProvider);
    });
    afterAll(async () => yard.close());

    test("home outlives stop and start, and goes with the sandbox", async () => {
      const specification = yard.specify();
      await yard.provider.create(specification, NEVER);
      const first = await yard.startAgain(specification);
      await write(first, `${home}/f`, "kept");
      await write(first, "/tmp/f", "temporary");
      await first.stop();
      expect(await first.ended).toEqual({ kind: "stopped" });
      const second = await yard.startAgain(specification);
      expect(await answerOf(second, ["cat", `${home}/f`])).toBe("kept");
      const left = await answerOf(second, ["ls", "/tmp"]);
      expect(left).toMatch(keepsTemporary ? /^f$/m : /^$/);
      await second.stop();
      await yard.provider.destroy(specification.id);
      await yard.provider.create(specification, NEVER);
      const third = await yard.startAgain(specification);
      expect(await answerOf(third, ["ls", "-A", home])).toBe("");
    });

    test("create, stop and destroy can be repeated", async () => {
      const specification = yard.specify();
      await yard.provider.create(specification, NEVER);
      await yard.provider.create(specification, NEVER);
      const sandbox = await yard.startAgain(specification);
      await Promise.all([sandbox.stop(), sandbox.stop()]);
      await sandbox.stop();
      await yard.provider.destroy(specification.id);
      await yard.provider.destroy(specification.id);
    });

    test("a sandbox that runs is not started a second time", async () => {
      const specification = yard.specify();
      await yard.provider.create(specification, NEVER);
      const sandbox = await yard.startAgain(specification);
      const second = await yard.startAgain(specification).catch((error: unknown) => error);
      expect(second).toMatchObject({ code: "SANDBOX_BUSY" });
      expect((await run(sandbox, ["true"])).code).toBe(0);
    });

    test("stop ends what runs inside, and nothing runs there any more", async () => {
      const sandbox = await yard.start();
      const program = await sandbox.exec({ argv: ["sleep", "300"] }, NEVER);
      await sandbox.stop();
      expect((await program.ended).code).not.toBe(0);
      const refused = await run(sandbox, ["true"]).catch((error: unknown) => error);
      expect(refused).toMatchObject({ code: "SANDBOX_NOT_RUNNING" });
    });

    test("a start that is aborted leaves nothing running", async () => {
      const specification = yard.specify();
      await yard.provider.create(specification, NEVER);
      const aborted = AbortSignal.abort(new TypeError("enough"));
      const failure = await yard.provider
        .start(specification, { onCapture: () => undefined }, aborted)
        .catch((error: unknown) => error);
      expect(failure).toMatchObject({ message: "enough" });
      const sandbox = await yard.startAgain(specification);
      expect((await run(sandbox, ["true"])).code).toBe(0);
    });

    test("many start at once, none failing, each under its own name", async () => {
      const sandboxes = await Promise.all(Array.from({ length: 12 }, async () => yard.start()));
      const names = await Promise.all(sandboxes.map(async (each) => answerOf(each, ["hostname"])));
      expect(new Set(names).size).toBe(12);
      await Promise.all(sandboxes.map(async (each) => each.stop()));
    });

    test("reaping removes the sandboxes that nobody wants, and no other", async () => {
      const [wanted, unwanted] = [yard.specify(), yard.specify()];
      for (const each of [wanted, unwanted]) {
        await yard.provider.create(each, NEVER);
        const sandbox = await yard.startAgain(each);
        await write(sandbox, `${home}/f`, "kept");
        await sandbox.stop();
      }
      const removed = await yard.provider.reap(new Set([...yard.ids, wanted.id]));
      expect(removed).toContain(unwanted.id);
      expect(removed).not.toContain(wanted.id);
      const sandbox = await yard.startAgain(wanted);
      expect(await answerOf(sandbox, ["cat", `${home}/f`])).toBe("kept");
      await yard.provider.create(unwanted, NEVER);
      const anew = await yard.startAgain(unwanted);
      expect(await answerOf(anew, ["ls", "-A", home])).toBe("");
    });

    test("closing the provider ends what runs, and can be repeated", async () => {
      const own = new SandboxYard(makeProvider);
      const sandbox = await own.start();
      await own.provider.close();
      expect(await sandbox.ended).toMatchObject({ kind: "stopped" });
      await own.provider.close();
      await own.close();
    });
  });
}

/** Homes that stand on layers, where the provider states `layers`. */
export function describeLayers({ makeProvider, home }: Subject): void {
  describe("layers", () => {
    let yard: SandboxYard;
    beforeAll(() => {
      yard = new SandboxYard(makeProvider);
    });
    afterAll(async () => yard.close());

    test("a sealed home is a layer under other homes, unchanged by them", async () => {
      const builder = yard.specify();
      await yard.provider.create(builder, NEVER);
      const sandbox = await yard.startAgain(builder);
      await write(sandbox, `${home}/tool`, "original");
      const busy = await yard.provider.layers
        .seal(builder.id, "a")
        .catch((error: unknown) => error);
      expect(busy).toMatchObject({ code: "SANDBOX_BUSY" });
      await sandbox.stop();
      const layer = "agent:2.1+glibc/x_y";
      await yard.provider.layers.seal(builder.id, layer);
      expect(await yard.provider.layers.list()).toEqual([layer]);
      const one = await yard.start({ homeLayers: [layer] });
      const two = await yard.start({ homeLayers: [layer] });
      await write(one, `${home}/tool`, "changed");
      expect(await answerOf(one, ["cat", `${home}/tool`])).toBe("changed");
      await answerOf(one, ["rm", `${home}/tool`]);
      expect(await answerOf(one, ["ls", "-A", home])).not.toContain("tool");
      expect(await answerOf(two, ["cat", `${home}/tool`])).toBe("original");
      const emptied = await yard.startAgain(builder);
      expect(await answerOf(emptied, ["ls", "-A", home])).toBe("");
      await Promise.all([one.stop(), two.stop(), emptied.stop()]);
      await yard.provider.layers.remove(layer);
      expect(await yard.provider.layers.list()).toEqual([]);
    });
  });
}
