import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RunningSandbox } from "../../sandbox/provider.ts";
import { answerOf, NEVER, run, SandboxYard, type Subject } from "./sandbox-yard.ts";

/** What a program gets and gives back, with programs that every system has. */
export function describeProcesses({ makeProvider, mode, home }: Subject): void {
  describe("processes", () => {
    let yard: SandboxYard;
    let sandbox: RunningSandbox;
    beforeAll(async () => {
      yard = new SandboxYard(makeProvider);
      const workspace = { path: yard.makeDirectory("project"), mode };
      sandbox = await yard.start({ workspace, environment: { KEPT: "yes" } });
    });
    afterAll(async () => yard.close());

    test("a program reads its input to the end, and its output comes out exact", async () => {
      const done = await run(sandbox, ["cat"], { input: "in" });
      expect(done).toEqual({ code: 0, output: "in", errors: "" });
      const much = "0123456789abcdef".repeat(64 * 1024);
      expect((await run(sandbox, ["cat"], { input: much })).output === much).toBe(true);
    });

    test("its errors come apart from its output, and its status is its own", async () => {
      const failed = await run(sandbox, ["cat", "/no/such/file"]);
      expect(failed).toMatchObject({ code: 1, output: "" });
      expect(failed.errors).toContain("/no/such/file");
      expect((await run(sandbox, ["true"])).code).toBe(0);
    });

    test("a missing program is told apart from one that failed", async () => {
      const missing = await run(sandbox, ["no-such-program"]).catch((error: unknown) => error);
      expect(missing).toMatchObject({ code: "COMMAND_NOT_FOUND" });
    });

    test("a program starts in the workspace, or where the request says", async () => {
      expect(await answerOf(sandbox, ["pwd"])).toBe(`${yard.directory}/project`);
      expect((await run(sandbox, ["pwd"], { cwd: "/" })).output).toBe("/\n");
    });

    test("the environment is the sandbox's own, under the request's", async () => {
      const environment = { TERM: "dumb", KEPT: "over" };
      const { output } = await run(sandbox, ["env"], { environment });
      expect(output).toContain(`HOME=${home}\n`);
      expect(output).toContain("LANG=C.UTF-8\n");
      expect(output).toContain("TERM=dumb\n");
      expect(output).toContain("KEPT=over\n");
      expect(await answerOf(sandbox, ["env"])).toContain("KEPT=yes");
    });

    test("nothing of the engine's environment is visible", async () => {
      process.env["CATTLEGRID_CANARY"] = "host-canary";
      const all = await answerOf(sandbox, ["env"]);
      delete process.env["CATTLEGRID_CANARY"];
      expect(all).not.toContain("host-canary");
    });

    test("a secret reaches its own process and no later one", async () => {
      const secrets = { KEY: "canary-secret" };
      expect((await run(sandbox, ["env"], { secrets })).output).toContain("KEY=canary-secret\n");
      expect(await answerOf(sandbox, ["env"])).not.toContain("canary-secret");
    });

    test("a terminal has the size that was asked for", async () => {
      const terminal = { columns: 91, rows: 17 };
      const { output } = await run(sandbox, ["stty", "size"], { terminal });
      expect(output).toBe("17 91\r\n");
    });

    test("a process that is killed ends, and says so", async () => {
      const program = await sandbox.exec({ argv: ["sleep", "300"] }, NEVER);
      await program.kill();
      expect((await program.ended).code).toBeGreaterThan(128);
      await program.kill();
    });

    test("a signal reaches a process", async () => {
      const program = await sandbox.exec({ argv: ["sleep", "300"] }, NEVER);
      await program.signal("SIGTERM");
      expect((await program.ended).code).toBeGreaterThan(128);
      await program.signal("SIGTERM");
    });
  });
}
