import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RunningSandbox } from "../../sandbox/provider.ts";
import { answer, run, SandboxYard, sh, type Kernel, type MakeProvider } from "./sandbox-yard.ts";

export function describeProcesses(makeProvider: MakeProvider, kernel: Kernel): void {
  describe("processes", () => {
    let yard: SandboxYard;
    let sandbox: RunningSandbox;
    beforeAll(async () => {
      yard = new SandboxYard(makeProvider);
      const workspace = { path: yard.makeDirectory("project"), mode: "direct" as const };
      sandbox = await yard.start({ workspace, environment: { KEPT: "yes" } });
    });
    afterAll(async () => yard.close());

    test("a program's output, errors and exit status come out apart and exact", async () => {
      const done = await run(sandbox, ["sh", "-c", "cat; echo no >&2; exit 7"], { input: "in" });
      expect(done).toEqual({ code: 7, output: "in", errors: "no\n" });
    });

    test("a program starts in the workspace, or where the request says", async () => {
      expect(await answer(sandbox, "pwd")).toBe(`${yard.directory}/project`);
      expect((await run(sandbox, ["pwd"], { cwd: "/usr" })).output).toBe("/usr\n");
    });

    test("the environment is the sandbox's own, under the request's", async () => {
      const environment = { TERM: "dumb", KEPT: "over" };
      const { output } = await run(sandbox, ["env"], { environment });
      expect(output).toContain("HOME=/home/agent\n");
      expect(output).toContain("LANG=C.UTF-8\n");
      expect(output).toContain("TERM=dumb\n");
      expect(output).toContain("KEPT=over\n");
      expect(await answer(sandbox, "echo $KEPT")).toBe("yes");
    });

    test("nothing of the host's environment is visible", async () => {
      process.env["CATTLEGRID_CANARY"] = "host-canary";
      const all = await answer(sandbox, "cat /proc/*/environ 2>/dev/null; env");
      delete process.env["CATTLEGRID_CANARY"];
      expect(all).not.toContain("host-canary");
      expect(all).not.toContain(process.env["PWD"] ?? "no working directory");
    });

    test("a secret reaches its own process tree and no other process", async () => {
      const holder = await sandbox.exec(
        { argv: ["sh", "-c", "echo $KEY; read line"], secrets: { KEY: "canary-secret" } },
        new AbortController().signal,
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

    test("a missing program is 127 and one that cannot be executed 126", async () => {
      const missing = await run(sandbox, ["no-such-program"]).catch((error: unknown) => error);
      expect(missing).toMatchObject({ code: "COMMAND_NOT_FOUND" });
      const denied = await run(sandbox, ["/etc/passwd"]).catch((error: unknown) => error);
      expect(denied).toMatchObject({ code: "COMMAND_NOT_EXECUTABLE" });
    });

    test("a terminal is a controlling terminal of the asked size", async () => {
      const terminal = { columns: 91, rows: 17 };
      const { output } = await run(sandbox, ["sh", "-c", "tty; stty size"], { terminal });
      // A kernel of the sandbox's own has no name for a terminal that it was given.
      const name = kernel === "own" ? "not a tty" : "/dev/pts/0";
      expect(output).toBe(`${name}\r\n17 91\r\n`);
      const script = "test -t 0 && test -t 1 && test -t 2 && : </dev/tty && : >/dev/tty";
      expect((await run(sandbox, ["sh", "-c", script], { terminal })).code).toBe(0);
    });

    test("killing a process takes its whole group", async () => {
      const signal = new AbortController().signal;
      const program = await sandbox.exec(
        { argv: ["sh", "-c", "sleep 9871 & echo up; wait"] },
        signal,
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
  });
}
