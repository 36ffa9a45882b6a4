import { once } from "node:events";
import { chmodSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  CRUN,
  openCrunContainer,
  type CrunContainer,
} from "../../../../../test/support/crun-container.ts";
import {
  finish,
  MARKED_SECONDS,
  NEVER,
  ownProcesses,
  Programs,
  sleepers,
  stillness,
  TERMINAL,
} from "../../../../../test/support/programs.ts";
import { execProcess } from "./process.ts";

describe.skipIf(!CRUN.met)(CRUN.title("a program in a container"), () => {
  let box: CrunContainer;
  let programs: Programs;
  beforeAll(async () => {
    box = await openCrunContainer();
    programs = new Programs(box);
  });
  afterAll(async () => {
    await box.close();
  });

  describe.each([
    ["on pipes", undefined],
    ["on a terminal", TERMINAL],
    ["on a terminal with raw output", { ...TERMINAL, rawOutput: true, separateErrors: true }],
  ])("%s", (_title, terminal) => {
    test.each([
      ["exit 0", { kind: "exited", code: 0 }],
      ["exit 3", { kind: "exited", code: 3 }],
      ["kill -TERM $$", { kind: "signalled", code: 143, signal: "SIGTERM" }],
      ["kill -KILL $$", { kind: "signalled", code: 137, signal: "SIGKILL" }],
    ])("%s is reported as it is", async (script, ending) => {
      expect((await programs.shell(script, terminal)).ending).toEqual(ending);
    });

    test.each([
      [["no-such-program"], undefined, "COMMAND_NOT_FOUND"],
      [["/no/such/program"], undefined, "COMMAND_NOT_FOUND"],
      [[""], undefined, "COMMAND_NOT_FOUND"],
      [["/etc/passwd"], undefined, "COMMAND_NOT_EXECUTABLE"],
      [["/usr"], undefined, "COMMAND_NOT_EXECUTABLE"],
      [["true"], "/no/such/directory", "DIRECTORY_MISSING"],
      [["true"], "/etc/passwd", "DIRECTORY_MISSING"],
      [["echo", "x".repeat(128 * 1024)], undefined, "COMMAND_ARGUMENT_TOO_LONG"],
      [["echo", "a\0b"], undefined, "REQUEST_INVALID"],
    ] as const)("%j in %s is refused: %s", async (argv, cwd, code) => {
      const request = { argv, ...(cwd && { cwd }), ...(terminal && { terminal }) };
      expect(await programs.failure(request)).toBe(code);
    });

    test("a script whose interpreter is missing ends with 127 and says so", async () => {
      const path = join(box.shared, "orphan");
      writeFileSync(path, "#!/no/such/interpreter\n");
      chmodSync(path, 0o755);
      const { output, errors, ending } = await programs.run({
        argv: ["/shared/orphan"],
        ...(terminal && { terminal }),
      });
      expect(ending).toEqual({ kind: "exited", code: 127 });
      expect(`${output.toString()}${errors.toString()}`).toMatch(/not found|No such file/);
    });

    test("arguments arrive as they are", async () => {
      const argv = ["printf", "[%s]", "a b", "$(id)", "'\"\\", "-x", "é\u0301", "", "*", "a;b"];
      const { output } = await programs.run({ argv, ...(terminal && { terminal }) });
      expect(output.toString()).toBe(
        argv
          .slice(2)
          .map((word) => `[${word}]`)
          .join(""),
      );
    });

    test("environment and secrets reach it, and only it", async () => {
      const process = await programs.start({
        argv: ["sh", "-c", "echo $PLAIN-$SECRET; read line"],
        environment: { PLAIN: "one" },
        secrets: { SECRET: "two-words" },
        ...(terminal && { terminal }),
      });
      const [first] = (await once(process.output, "data")) as [Buffer];
      expect(first.toString()).toMatch(/^one-two-words\r?\n$/);
      // The clients on the host belong to us; their arguments and environment are open to every other process.
      const open = ownProcesses().filter((text) => text.includes("two-words"));
      expect(open).toEqual([]);
      await process.kill();
    });

    test("the last line without an end and a cut character arrive", async () => {
      const { output } = await programs.shell("printf 'line\\n\\303\\251\\303'", terminal);
      expect(output.subarray(-3)).toEqual(Buffer.from([0xc3, 0xa9, 0xc3]));
    });

    test("it has no capability, no new privileges and the filter", async () => {
      const { output } = await programs.shell(
        "grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status",
        terminal,
      );
      const lines = output
        .toString()
        .trim()
        .split(/\r?\n/)
        .map((line) => line.split(/\s+/));
      expect(Object.fromEntries(lines)).toEqual({
        "CapInh:": "0000000000000000",
        "CapPrm:": "0000000000000000",
        "CapEff:": "0000000000000000",
        "CapBnd:": "0000000000000000",
        "CapAmb:": "0000000000000000",
        "NoNewPrivs:": "1",
        "Seccomp:": "2",
      });
    });

    test("no descriptor of ours is open in it", async () => {
      // ls opens the directory itself.
      const { output } = await programs.shell("ls -1 /proc/self/fd", terminal);
      expect(output.toString().split(/\s+/).filter(Boolean)).toEqual(["0", "1", "2", "3"]);
    });

    test("kill leaves nothing of its session", async () => {
      const process = await programs.start({
        argv: [
          "bash",
          "-c",
          `trap '' HUP TERM; set -m; sleep ${MARKED_SECONDS} & (sleep ${MARKED_SECONDS} &) ; echo up; wait`,
        ],
        ...(terminal && { terminal }),
      });
      await once(process.output, "data");
      process.output.resume();
      while (sleepers().length < 2) await new Promise((resolve) => setImmediate(resolve));
      await process.kill();
      expect(sleepers()).toEqual([]);
      process.errors?.resume();
      expect(await process.ended).toEqual({ kind: "signalled", code: 137, signal: "SIGKILL" });
      await process.kill();
    });

    test("what it leaves in the background does not keep it", async () => {
      const { output, ending } = await programs.shell(
        "(trap '' HUP; exec sleep 7203) & echo left",
        terminal,
      );
      expect(output.toString()).toMatch(/^left\r?\n$/);
      expect(ending).toEqual({ kind: "exited", code: 0 });
      await programs.shell("pkill -KILL sleep; true");
    });

    test("an aborted start runs nothing", async () => {
      const controller = new AbortController();
      const request = { argv: ["sleep", MARKED_SECONDS], ...(terminal && { terminal }) };
      const starting = execProcess(box.target, request, controller.signal);
      controller.abort();
      await expect(starting).rejects.toMatchObject({ code: "INTERRUPTED" });
      expect(sleepers()).toEqual([]);
    });

    test("a stopped reader stops the program, and nothing is lost", async () => {
      const process = await programs.start({
        argv: [
          "sh",
          "-c",
          "i=0; while [ $i -lt 40000 ]; do echo line $i; i=$((i+1)); done; echo end >&2",
        ],
        ...(terminal && { terminal }),
      });
      const errors = process.errors && once(process.errors, "data");
      let isReading = false;
      void errors?.then(() => expect(isReading).toBe(true));
      await stillness(process.output);
      isReading = true;
      const { output } = await finish(process);
      const lines = output.toString().replaceAll("\r", "").trimEnd().split("\n");
      const isEnd = (line: string): boolean => line !== "end";
      expect(lines.filter(isEnd)).toEqual(Array.from({ length: 40_000 }, (_, at) => `line ${at}`));
    });
  });

  test("afterwards no socket is left, and no descriptor of this process", async () => {
    const before = readdirSync("/proc/self/fd").length;
    await programs.shell("true", { ...TERMINAL, rawOutput: true, separateErrors: true });
    await programs.shell("true");
    await programs.failure({ argv: ["no-such-program"], terminal: TERMINAL });
    await programs.failure({ argv: ["no-such-program"] });
    await new Promise((resolve) => setImmediate(resolve));
    expect(readdirSync(box.target.scratchDirectory)).toEqual([]);
    expect(readdirSync("/proc/self/fd").length).toBe(before);
  });

  test("a container that is gone is said to be", async () => {
    const target = { ...box.target, containerId: "other" };
    for (const terminal of [undefined, TERMINAL]) {
      const request = { argv: ["true"], ...(terminal && { terminal }) };
      await expect(execProcess(target, request, NEVER)).rejects.toMatchObject({
        code: "SANDBOX_NOT_RUNNING",
      });
    }
  });
});
