import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RunningSandbox } from "../../sandbox/provider.ts";
import { answer, NEVER, run, SandboxYard, sh, type Subject } from "./sandbox-yard.ts";

/** What holds where programs are processes of a kernel. */
export function describeUnixProcesses({ makeProvider, kernel, limits }: Subject): void {
  describe("unix processes", () => {
    let yard: SandboxYard;
    let sandbox: RunningSandbox;
    beforeAll(async () => {
      yard = new SandboxYard(makeProvider);
      sandbox = await yard.start();
    });
    afterAll(async () => yard.close());

    test("output and errors come out apart, with the exit status", async () => {
      const done = await run(sandbox, ["sh", "-c", "cat; echo no >&2; exit 7"], { input: "in" });
      expect(done).toEqual({ code: 7, output: "in", errors: "no\n" });
    });

    test("nothing of the host's environment is visible in any process", async () => {
      process.env["CATTLEGRID_CANARY"] = "host-canary";
      const all = await answer(sandbox, "cat /proc/*/environ 2>/dev/null; env");
      delete process.env["CATTLEGRID_CANARY"];
      expect(all).not.toContain("host-canary");
      expect(all).not.toContain(process.env["PWD"] ?? "no working directory");
    });

    test("a secret reaches its own process tree and no other process", async () => {
      const holder = await sandbox.exec(
        { argv: ["sh", "-c", "echo $KEY; read line"], secrets: { KEY: "canary-secret" } },
        NEVER,
      );
      const first = await new Promise<string>((resolve) =>
        holder.output.once("data", (bytes: Buffer) => resolve(bytes.toString())),
      );
      expect(first).toBe("canary-secret\n");
      expect(await answer(sandbox, "env")).not.toContain("canary-secret");
      expect(await answer(sandbox, "tr '\\0' '\\n' </proc/1/environ")).not.toContain("canary");
      expect(await answer(sandbox, "cat /proc/[0-9]*/cmdline | tr '\\0' ' '")).not.toContain(
        "canary-secret",
      );
      holder.input.end("\n");
      await holder.ended;
    });

    test("a program that cannot be executed is told as such", async () => {
      const denied = await run(sandbox, ["/etc/passwd"]).catch((error: unknown) => error);
      expect(denied).toMatchObject({ code: "COMMAND_NOT_EXECUTABLE" });
    });

    test("a terminal is a controlling terminal", async () => {
      const terminal = { columns: 91, rows: 17 };
      const { output } = await run(sandbox, ["tty"], { terminal });
      // A kernel of the sandbox's own has no name for a terminal that it was given.
      expect(output).toMatch(kernel === "own" ? /^not a tty\r\n$/ : /^\/dev\/pts\/\d+\r\n$/);
      const script = "test -t 0 && test -t 1 && test -t 2 && : </dev/tty && : >/dev/tty";
      expect((await run(sandbox, ["sh", "-c", script], { terminal })).code).toBe(0);
    });

    test("killing a process takes its whole group", async () => {
      const program = await sandbox.exec(
        { argv: ["sh", "-c", "sleep 9871 & echo up; wait"] },
        NEVER,
      );
      await new Promise((resolve) => program.output.once("data", resolve));
      await program.kill();
      expect((await program.ended).code).toBeGreaterThan(128);
      expect((await sh(sandbox, "grep -l '987[1]' /proc/[0-9]*/cmdline")).output).toBe("");
    });

    test("orphans are reaped and no zombie stays", async () => {
      await answer(sandbox, "for i in 1 2 3; do (sleep 0.01 &) ; done; sleep 0.2");
      expect((await sh(sandbox, "cat /proc/[0-9]*/stat | grep ') Z '")).output).toBe("");
    });

    test("a process starts without any descriptor but its three", async () => {
      expect(await answer(sandbox, "ls /proc/self/fd | tr '\\n' ' '")).toMatch(/^0 1 2( 3)?$/);
    });

    test("stop ends every process inside, those with sessions of their own too", async () => {
      const doomed = await yard.start();
      const program = await doomed.exec(
        { argv: ["sh", "-c", "setsid sleep 8123 & trap '' TERM; echo up; sleep 8124"] },
        NEVER,
      );
      await new Promise((resolve) => program.output.once("data", resolve));
      await doomed.stop();
      expect((await program.ended).code).not.toBe(0);
    });

    test.skipIf(!limits.met)(
      limits.title("the process limit holds inside one sandbox and leaves others alone"),
      async () => {
        const limited = await yard.start({ limits: { pids: 40 } });
        const bomb = "i=0; while [ $i -lt 100 ]; do sleep 30 & i=$((i+1)); done; echo $i";
        expect((await sh(limited, bomb)).errors).toMatch(/fork|Resource|Cannot/);
        const few = "for i in 1 2 3; do sleep 0.01 & done; wait; echo ok";
        expect(await answer(sandbox, few)).toBe("ok");
      },
    );
  });
}
