import { createHash } from "node:crypto";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  CRUN,
  openCrunContainer,
  type CrunContainer,
} from "../../../../../test/support/crun-container.ts";
import { finish, Programs, TERMINAL, watch } from "../../../../../test/support/programs.ts";

describe.skipIf(!CRUN.met)(CRUN.title("a program on a terminal"), () => {
  let box: CrunContainer;
  let programs: Programs;
  beforeAll(async () => {
    box = await openCrunContainer();
    programs = new Programs(box);
  });
  afterAll(async () => {
    await box.close();
  });

  test("4 MiB arrive to the last byte, every time", { timeout: 120_000 }, async () => {
    const size = 4 * 1024 * 1024;
    const line = `${"x".repeat(62)}\n`;
    writeFileSync(join(box.shared, "big"), line.repeat(Math.ceil(size / 63)).slice(0, size));
    const expected = readFileSync(join(box.shared, "big"));
    for (let round = 0; round < 60; round += 1) {
      const { output, ending } = await programs.run({
        argv: ["cat", "/shared/big"],
        terminal: { ...TERMINAL, rawOutput: true },
      });
      expect(ending).toEqual({ kind: "exited", code: 0 });
      expect([round, output.length]).toEqual([round, size]);
      expect(output.equals(expected)).toBe(true);
    }
  });

  test("several at once are all exact", { timeout: 120_000 }, async () => {
    const script = "i=0; while [ $i -lt 3000 ]; do echo $i; i=$((i+1)); done; printf tail";
    const expected = `${Array.from({ length: 3000 }, (_, at) => `${at}\n`).join("")}tail`;
    for (let round = 0; round < 5; round += 1) {
      const all = await Promise.all(
        Array.from({ length: 12 }, () => programs.shell(script, { ...TERMINAL, rawOutput: true })),
      );
      for (const { output } of all) expect(output.toString()).toBe(expected);
    }
  });

  test("LF stays LF with raw output, and becomes CR LF without", async () => {
    const raw = { ...TERMINAL, rawOutput: true };
    expect((await programs.shell("printf 'a\\nb'", raw)).output.toString()).toBe("a\nb");
    expect((await programs.shell("printf 'a\\nb'", TERMINAL)).output.toString()).toBe("a\r\nb");
  });

  test("errors come apart when asked for, in the terminal otherwise", async () => {
    const apart = await programs.shell("echo o; echo e >&2; test -t 2 && echo tty", {
      ...TERMINAL,
      separateErrors: true,
    });
    expect([apart.output.toString(), apart.errors.toString()]).toEqual(["o\r\n", "e\n"]);
    const together = await programs.shell("echo o; echo e >&2", TERMINAL);
    expect([together.output.toString(), together.errors.toString()]).toEqual(["o\r\ne\r\n", ""]);
  });

  test("standard input can be other bytes, and the terminal stays", async () => {
    const { output } = await programs.run({
      argv: [
        "sh",
        "-c",
        "cat; test -t 0 || echo no; test -t 1 && echo yes; test -t 0 </dev/tty && echo own",
      ],
      terminal: { ...TERMINAL, rawOutput: true },
      inputBytes: Buffer.from("prompt\u0003\u0004\t\n"),
    });
    expect(output.toString()).toBe("prompt\u0003\u0004\t\nno\nyes\nown\n");
  });

  test("it controls the program, whose size it knows from the start", async () => {
    const { output } = await programs.shell("tty; stty size; ps -o tty= -p $$", TERMINAL);
    expect(output.toString()).toMatch(/^\/dev\/pts\/(\d+)\r\n30 100\r\npts\/\1\r\n$/);
  });

  test("a new size arrives with SIGWINCH", async () => {
    const process = await programs.start({
      argv: ["bash", "-c", "trap 'stty size; exit 0' WINCH; echo up; while :; do sleep 0.01; done"],
      terminal: TERMINAL,
    });
    await once(process.output, "data");
    process.resize({ columns: 132, rows: 43 });
    expect((await finish(process)).output.toString()).toBe("43 132\r\n");
    process.resize({ columns: 80, rows: 24 });
  });

  // Its answer shows that it runs: a shell that is about to start it may swallow the ^C that is meant for it.
  const ANSWERING = ["sed", "s/^/got:/"];
  const QUESTION = "text\n";
  const ANSWER = "got:text\r\n";

  test("^C interrupts, ^D ends the input, as does the end of ours", async () => {
    const interrupted = await programs.start({ argv: ANSWERING, terminal: TERMINAL });
    const seen = watch(interrupted);
    interrupted.input.write(QUESTION);
    await seen(ANSWER);
    interrupted.input.write("\u0003");
    expect(await interrupted.ended).toEqual({ kind: "signalled", code: 130, signal: "SIGINT" });
    for (const end of ["\u0004", ""]) {
      const reader = await programs.start({ argv: ANSWERING, terminal: TERMINAL });
      reader.input.write(QUESTION);
      if (end === "") reader.input.end();
      else reader.input.write(end);
      const { output, ending } = await finish(reader);
      expect([output.toString(), ending]).toEqual([
        `text\r\n${ANSWER}`,
        { kind: "exited", code: 0 },
      ]);
    }
  });

  test("a program that does not read holds up nobody, and gets every byte once it does", async () => {
    const typed = Buffer.alloc(300_000, "0123456789abcdef");
    const script = `stty raw -echo; echo up; until [ -e /shared/go ]; do sleep 0.01; done; head -c ${typed.length} | sha256sum`;
    const process = await programs.start({ argv: ["sh", "-c", script], terminal: TERMINAL });
    const seen = watch(process);
    await seen("up");
    process.input.write(typed);
    const { output } = await programs.shell("echo other", TERMINAL);
    expect(output.toString()).toBe("other\r\n");
    expect(process.input.writableLength).toBe(typed.length);
    writeFileSync(join(box.shared, "go"), "");
    await seen(createHash("sha256").update(typed).digest("hex"));
    expect(await process.ended).toEqual({ kind: "exited", code: 0 });
  });

  test("it may end though its input still waits", async () => {
    const script = "stty raw -echo; echo up; read line; exit 4";
    const process = await programs.start({ argv: ["bash", "-c", script], terminal: TERMINAL });
    const seen = watch(process);
    await seen("up");
    process.input.write(`\n${"x".repeat(1_000_000)}`);
    expect(await process.ended).toEqual({ kind: "exited", code: 4 });
  });

  test("job control works", async () => {
    const process = await programs.start({
      argv: ["bash", "--norc", "-i"],
      environment: { PS1: "$ " },
      terminal: TERMINAL,
    });
    const seen = watch(process);
    await seen("$ ");
    process.input.write(`${ANSWERING.join(" ")}\n`);
    await seen("got:/\r\n");
    process.input.write(QUESTION);
    await seen(ANSWER);
    process.input.write("\u001a");
    await seen("Stopped");
    await seen("$ ");
    process.input.write("fg\n");
    await seen("fg\r\n");
    await seen("got:/\r\n");
    process.input.write(QUESTION);
    await seen(ANSWER);
    process.input.write("\u0003");
    await seen("$ ");
    process.input.write("jobs; exit 4\n");
    await seen("jobs; exit 4\r\n");
    expect(await process.ended).toEqual({ kind: "exited", code: 4 });
  });

  test("a signal reaches what runs in the foreground", async () => {
    const process = await programs.start({
      argv: ["bash", "--norc", "-i"],
      environment: { PS1: "$ " },
      terminal: TERMINAL,
    });
    const seen = watch(process);
    await seen("$ ");
    process.input.write(`${ANSWERING.join(" ")}\n`);
    await seen("got:/\r\n");
    process.input.write(QUESTION);
    await seen(ANSWER);
    await process.signal("SIGINT");
    await seen("$ ");
    process.input.write("exit 5\n");
    expect(await process.ended).toEqual({ kind: "exited", code: 5 });
  });

  test("a program may close its terminal and open it again", async () => {
    const script = "exec </dev/null >/dev/null 2>&1; sleep 0.2; echo back >/dev/tty";
    expect((await programs.shell(script, TERMINAL)).output.toString()).toBe("back\r\n");
  });

  test("idle ones leave the files and names of this process alone", async () => {
    const idle = await Promise.all(
      Array.from({ length: 50 }, () => programs.start({ argv: ["cat"], terminal: TERMINAL })),
    );
    for (const process of idle) process.output.resume();
    const looks = await Promise.all(Array.from({ length: 100 }, () => stat("/")));
    expect(looks).toHaveLength(100);
    await Promise.all(idle.map((process) => process.kill()));
    const endings = await Promise.all(idle.map((process) => process.ended));
    expect(endings.every(({ code }) => code === 137)).toBe(true);
  });
});
