/**
 * Groups D, F and G of the attack list: processes, descriptors, terminals, secrets. Covered elsewhere: F68–F70 and F75
 * test/conformance/isolation.ts and src/sandbox/guest/seccomp.test.ts; F76 and F77 in part conformance/life.ts;
 * F78's terminals src/sandbox/providers/local/process/terminal-process.test.ts; G81 and G85 src/cli/output/error-text.test.ts and
 * src/egress/recorder.test.ts; D44's files test/integration/kiro-cli-privacy.test.ts.
 */
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runProcess } from "../../src/platform/process.ts";
import type { RunningSandbox } from "../../src/sandbox/provider.ts";
import type { SandboxProcess } from "../../src/sandbox/process.ts";
import { createLocalProvider } from "../../src/sandbox/providers/local/provider.ts";
import {
  answer,
  NEVER,
  run,
  SandboxYard,
  sh,
  succeeding,
} from "../../src/testing/conformance/sandbox-yard.ts";
import { allOf, program } from "../support/requirement.ts";

const needed = allOf(...["crun", "unshare", "nsenter"].map(program));
/** Of the shell, which has to outlive the listing and must not open a pipe of its own for it. */
const LIST_DESCRIPTORS = "ls -lN /proc/$$/fd; true";
const SECONDS = 1000;

function readList(output: string): readonly string[] {
  const found = output.matchAll(/ (\d+) -> ([^[\n]*[a-z:])/g);
  return [...found].map(([, fd, target]) => `${fd} ${target}`);
}

/** Host processes other than this one whose `file` under /proc holds the text, by command line. */
function holders(file: "environ" | "cmdline", text: string): readonly string[] {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids
    .filter((pid) => Number(pid) !== process.pid && read(`/proc/${pid}/${file}`).includes(text))
    .map((pid) => read(`/proc/${pid}/cmdline`).replaceAll("\0", " ").trim());
}

function read(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch (error) {
    if (["ENOENT", "ESRCH", "EACCES"].includes(String((error as NodeJS.ErrnoException).code)))
      return "";
    throw error;
  }
}

async function begin(sandbox: RunningSandbox, script: string): Promise<SandboxProcess> {
  const started = await sandbox.exec({ argv: ["sh", "-c", script] }, NEVER);
  await once(started.output, "data");
  return started;
}

describe.skipIf(!needed.met)(needed.title("processes of a hostile sandbox"), () => {
  let yard: SandboxYard;
  let sandbox: RunningSandbox;
  beforeAll(async () => {
    yard = new SandboxYard(createLocalProvider);
    sandbox = await yard.start();
  });
  afterAll(async () => yard.close());

  test("have the documented descriptors and no other, with pipes and on a terminal (F74)", async () => {
    const piped = await answer(sandbox, LIST_DESCRIPTORS);
    expect(readList(piped)).toEqual(["0 pipe:", "1 pipe:", "2 pipe:"]);
    const shown = await run(sandbox, ["sh", "-c", LIST_DESCRIPTORS], {
      terminal: { columns: 80, rows: 24, separateErrors: true, rawOutput: true },
      inputBytes: Buffer.from("input"),
    });
    expect(readList(shown.output)).toEqual(["0 pipe:", "1 /dev/pts", "2 pipe:"]);
    const init = await answer(sandbox, "for fd in /proc/1/fd/*; do readlink $fd; done");
    expect(init.split("\n").every((line) => /^(pipe|socket):/.test(line))).toBe(true);
    expect(await answer(sandbox, "readlink /proc/self/cwd /proc/1/cwd /proc/1/root")).toBe(
      "/home/agent\n/\n/",
    );
  });

  test("see neither keeper nor engine, and cannot end or trace what keeps them (F67, F79)", async () => {
    const seen = await answer(sandbox, "cat /proc/[0-9]*/comm | sort -u");
    expect(seen).not.toMatch(/node|keeper|crun/);
    const attacks = [
      "kill -9 1 && ! kill -0 1",
      "echo 1 >/proc/1/oom_score_adj; echo -1000 >/proc/self/oom_score_adj",
    ];
    expect(await succeeding(sandbox, attacks)).toEqual([]);
    expect((await sh(sandbox, "echo 999 >/proc/self/oom_score_adj")).code).toBe(0);
  });

  test("outlive the command that made them, and nothing outlives the stop (F77)", async () => {
    const doomed = await yard.start();
    const mark = `7${process.pid}`;
    const daemon = `(setsid sh -c 'trap "" HUP TERM INT; sleep ${mark} & wait' </dev/null >/dev/null 2>&1 &) ; echo up`;
    expect(await answer(doomed, daemon)).toBe("up");
    await expect.poll(() => holders("cmdline", `sleep\0${mark}`).length).toBe(1);
    expect(await answer(doomed, "echo still")).toBe("still");
    await doomed.stop();
    expect(holders("cmdline", mark)).toEqual([]);
  });

  test(
    "that stopped everything inside, fill it or hold its terminals do not hold up the stop (F76, F78)",
    async () => {
      const stuck = await yard.start({ limits: { pids: 200 } });
      const stopping = await begin(stuck, "sleep 600 & echo up; kill -STOP -1; kill -STOP $$");
      const bomb = await begin(stuck, "echo up; b() { b | b & }; b; trap '' TERM; sleep 600");
      const files =
        'echo up; exec 2>/dev/null; ulimit -n hard; i=3; while eval "exec $i</dev/null"; do i=$((i+1)); done; sleep 600';
      const hoard = await begin(stuck, files).catch(() => undefined);
      expect((await sh(sandbox, "echo free")).output).toBe("free\n");
      const before = performance.now();
      await stuck.stop();
      expect(performance.now() - before).toBeLessThan(10 * SECONDS);
      for (const each of [stopping, bomb, hoard]) expect((await each?.ended)?.code).not.toBe(0);
    },
    30 * SECONDS,
  );

  test("cannot type into a terminal, their own or another's of the sandbox (F71)", async () => {
    const python = (await sh(sandbox, "test -x /usr/bin/python3")).code === 0;
    if (!python) return;
    const script = `
import fcntl, os
def works(request, argument):
    try: fcntl.ioctl(0, request, argument); return True
    except OSError: return False
print(works(0x5412, b"x"), works(0x541c, b"\\x03"), works(0x5413, b"\\0" * 8))`;
    const typed = await run(sandbox, ["/usr/bin/python3", "-c", script], {
      terminal: { columns: 80, rows: 24 },
    });
    expect(typed.output.trim()).toBe("False False True");
  });

  test("alone hold the secret they were started with: no command line, no other environment (D44, D53)", async () => {
    const secret = `canary-${process.pid}-1b2c`;
    const script = "echo $TOKEN; exec sleep 610";
    const holder = await sandbox.exec(
      { argv: ["sh", "-c", script], secrets: { TOKEN: secret } },
      NEVER,
    );
    const [first] = (await once(holder.output, "data")) as [Buffer];
    expect(first.toString().trim()).toBe(secret);
    await expect.poll(() => holders("environ", secret)).toEqual(["sleep 610"]);
    expect(holders("cmdline", secret)).toEqual([]);
    expect((await sh(sandbox, "env")).output).not.toContain(secret);
    expect(JSON.stringify(sandbox.facts)).not.toContain(secret);
    expect(await answer(sandbox, "ulimit -Hc")).toBe("0");
    expect((await runProcess(["grep", "-rl", "--", secret, yard.directory])).stdout).toBe("");
    await holder.kill();
    expect(holders("environ", secret)).toEqual([]);
  });
});
