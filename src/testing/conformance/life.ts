import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { answer, NEVER, SandboxYard, sh, type MakeProvider } from "./sandbox-yard.ts";

export function describeLife(makeProvider: MakeProvider): void {
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
      await answer(first, "echo kept >~/f; echo gone >/tmp/f");
      await first.stop();
      expect(await first.ended).toEqual({ kind: "stopped" });
      const second = await yard.startAgain(specification);
      expect(await answer(second, "cat ~/f; ls /tmp")).toBe("kept");
      await second.stop();
      await yard.provider.destroy(specification.id);
      await yard.provider.create(specification, NEVER);
      const third = await yard.startAgain(specification);
      expect(await answer(third, "ls -A ~")).toBe("");
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

    test("stop ends every process inside, those with sessions of their own too", async () => {
      const sandbox = await yard.start();
      const signal = new AbortController().signal;
      const program = await sandbox.exec(
        { argv: ["sh", "-c", "setsid sleep 8123 & trap '' TERM; echo up; sleep 8124"] },
        signal,
      );
      await new Promise((resolve) => program.output.once("data", resolve));
      await sandbox.stop();
      const ending = await program.ended;
      expect(ending.code).not.toBe(0);
      const refused = await sh(sandbox, "true").catch((error: unknown) => error);
      expect(refused).toMatchObject({ code: "SANDBOX_NOT_RUNNING" });
    });

    test("a sealed home is a layer under other homes, unchanged by them", async () => {
      const builder = yard.specify();
      await yard.provider.create(builder, NEVER);
      const sandbox = await yard.startAgain(builder);
      await answer(sandbox, "mkdir -p ~/.local/bin && echo original >~/.local/bin/tool");
      const busy = await yard.provider.layers
        .seal(builder.id, "a")
        .catch((error: unknown) => error);
      expect(busy).toMatchObject({ code: "SANDBOX_BUSY" });
      await sandbox.stop();
      await yard.provider.layers.seal(builder.id, "kiro:2.1+glibc/x_y");
      expect(await yard.provider.layers.list()).toEqual(["kiro:2.1+glibc/x_y"]);
      const homeLayers = ["kiro:2.1+glibc/x_y"];
      const one = await yard.start({ homeLayers });
      const two = await yard.start({ homeLayers });
      await answer(one, "echo changed >~/.local/bin/tool && rm -r ~/.local && ls -A ~");
      expect(await answer(two, "cat ~/.local/bin/tool")).toBe("original");
      const emptied = await yard.startAgain(builder);
      expect(await answer(emptied, "ls -A ~")).toBe("");
      await Promise.all([one.stop(), two.stop(), emptied.stop()]);
      await yard.provider.layers.remove("kiro:2.1+glibc/x_y");
      expect(await yard.provider.layers.list()).toEqual([]);
    });

    test("a sandbox does not start when its sockets are not taken", async () => {
      const specification = yard.specify();
      await yard.provider.create(specification, NEVER);
      const onCapture = (): never => {
        throw new TypeError("no gateway");
      };
      const failure = await yard.provider
        .start(specification, { onCapture }, NEVER)
        .catch((error: unknown) => error);
      expect(failure).toMatchObject({ message: "no gateway" });
      const sandbox = await yard.startAgain(specification);
      expect((await sh(sandbox, "true")).code).toBe(0);
    });

    test("a start that is aborted leaves nothing running", async () => {
      const specification = yard.specify();
      await yard.provider.create(specification, NEVER);
      const aborted = AbortSignal.abort(new TypeError("enough"));
      const failure = await yard.provider
        .start(specification, { onCapture: () => undefined }, aborted)
        .catch((error: unknown) => error);
      expect(failure).toMatchObject({ message: "enough" });
    });

    test("many start at once, none failing, each with its own network", async () => {
      const sandboxes = await Promise.all(Array.from({ length: 12 }, async () => yard.start()));
      const names = await Promise.all(sandboxes.map(async (each) => answer(each, "hostname")));
      expect(new Set(names).size).toBe(12);
      await Promise.all(sandboxes.map(async (each) => each.stop()));
    });

    test("the process limit holds inside one sandbox and leaves others alone", async () => {
      const limited = await yard.start({ limits: { pids: 40 } });
      const free = await yard.start();
      const bomb = "i=0; while [ $i -lt 100 ]; do sleep 30 & i=$((i+1)); done; echo $i";
      expect((await sh(limited, bomb)).errors).toMatch(/fork|Resource|Cannot/);
      expect(await answer(free, "for i in 1 2 3; do sleep 0.01 & done; wait; echo ok")).toBe("ok");
    });
  });
}
