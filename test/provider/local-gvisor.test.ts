import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createLocalProvider } from "../../src/sandbox/providers/local/provider.ts";
import { describeSandboxProvider } from "../../src/testing/conformance/sandbox-provider.ts";
import { answer, NEVER, run, SandboxYard, sh } from "../../src/testing/conformance/sandbox-yard.ts";
import { allOf, program, root } from "../support/requirement.ts";
import { makeSentryProvider, SENTRY } from "../support/sentry.ts";
import { describeTemplateBases } from "../support/template-bases.ts";

describeSandboxProvider("local sandbox provider under gVisor", {
  makeProvider: makeSentryProvider,
  requirement: SENTRY,
  capabilities: {
    isolation: ["namespaces", "gvisor"],
    workspaceModes: ["direct", "readonly", "overlay", "clone"],
    workspaceFiles: "shared",
    layers: true,
    egress: "enforced",
    ports: true,
    snapshot: false,
    warmPool: false,
    bases: true,
  },
  kernel: "own",
});

interface HostProcess {
  pid: number;
  uid: number;
  command: string;
}

function gvisorProcesses(): readonly HostProcess[] {
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const command = readFileSync(join("/proc", name, "cmdline"), "utf8").split("\0")[0] ?? "";
      const status = readFileSync(join("/proc", name, "status"), "utf8");
      const uid = Number(/^Uid:\t(\d+)/m.exec(status)?.[1]);
      return command.startsWith("runsc-") ? [{ pid: Number(name), uid, command }] : [];
    } catch (error) {
      if (["ENOENT", "ESRCH"].includes(String((error as NodeJS.ErrnoException).code))) return [];
      throw error;
    }
  });
}

describe.skipIf(!SENTRY.met)(SENTRY.title("gVisor"), () => {
  let yard: SandboxYard;
  beforeAll(() => {
    yard = new SandboxYard(makeSentryProvider);
  });
  afterAll(async () => yard.close());

  test("answers programs with a kernel of its own, under ids that are nobody's on the host", async () => {
    const before = new Set(gvisorProcesses().map(({ pid }) => pid));
    const sandbox = await yard.start();
    expect(await answer(sandbox, "uname -r")).toContain("gvisor");
    const own = gvisorProcesses().filter(({ pid }) => !before.has(pid));
    expect(own.map(({ command }) => command)).toContain("runsc-sandbox");
    expect(own.every(({ uid }) => uid !== 0 && uid !== process.getuid?.())).toBe(true);
    expect(sandbox.facts).toMatchObject({ isolation: "gvisor" });
    expect(JSON.stringify(sandbox.facts["notProtected"])).toContain("network stack");
    await sandbox.stop();
    await expect
      .poll(() => gvisorProcesses().filter(({ pid }) => !before.has(pid)), { timeout: 20_000 })
      .toEqual([]);
  });

  test("passes on every byte of a terminal, up to the end of the program", async () => {
    const sandbox = await yard.start();
    const terminal = { columns: 80, rows: 24, rawOutput: true };
    const script = 'i=0; while [ $i -lt 4000 ]; do echo "$i 0123456789abcdef"; i=$((i+1)); done';
    const lines = Array.from({ length: 4000 }, (_, line) => `${line} 0123456789abcdef\n`).join("");
    for (let round = 0; round < 3; round += 1) {
      const { output, code } = await run(sandbox, ["sh", "-c", `${script}; exit 7`], { terminal });
      expect(code).toBe(7);
      expect(output === lines).toBe(true);
    }
  });

  test("tells programs of a new size, and ends them when their terminal hangs up", async () => {
    const sandbox = await yard.start();
    const terminal = { columns: 80, rows: 24 };
    const argv = ["sh", "-c", "trap 'stty size' WINCH; echo up; while :; do sleep 0.1; done"];
    const watching = await sandbox.exec({ argv, terminal }, NEVER);
    let seen = "";
    watching.output.on("data", (bytes: Buffer) => (seen += bytes.toString()));
    await expect.poll(() => seen, { timeout: 20_000 }).toContain("up");
    watching.resize({ columns: 101, rows: 31 });
    await expect.poll(() => seen, { timeout: 20_000 }).toContain("31 101");
    await watching.signal("SIGTERM");
    expect(await watching.ended).toMatchObject({ kind: "signalled", signal: "SIGTERM" });
    const stubborn = ["sh", "-c", "trap '' TERM HUP; echo up; sleep 8123; sleep 8123"];
    const killed = await sandbox.exec({ argv: stubborn, terminal }, NEVER);
    killed.output.resume();
    await killed.kill();
    expect((await sh(sandbox, "ps -eo args | grep '[8]123'")).output).toBe("");
  });
});

describe.skipIf(!allOf(SENTRY, root()).met)(
  allOf(SENTRY, root()).title("limits under gVisor"),
  () => {
    test("hold for the kernel of the sandbox and all that runs on it", async () => {
      const yard = new SandboxYard(makeSentryProvider);
      try {
        const limited = await yard.start({ limits: { memoryBytes: 256 << 20 } });
        const script = "python3 -c 'print(len(bytearray(600 << 20)))'";
        const outcome = await sh(limited, script).catch((error: unknown) => ({ error, code: -1 }));
        expect(outcome.code).not.toBe(0);
        expect(await answer(await yard.start(), script)).toBe(String(600 << 20));
      } finally {
        await yard.close();
      }
    });
  },
);

const CRUN = allOf(program("crun"), program("unshare"), program("nsenter"));

describe.skipIf(!CRUN.met)(CRUN.title("a gVisor that does not work"), () => {
  const open = (runsc: string): SandboxYard =>
    new SandboxYard((directories) => createLocalProvider({ ...directories, programs: { runsc } }));

  test("is refused with the remedy, and nothing weaker runs in its place", async () => {
    const yard = open("/bin/false");
    try {
      const failure = await yard.start({ isolation: "gvisor" }).catch((error: unknown) => error);
      expect(failure).toMatchObject({ code: "ISOLATION_UNAVAILABLE" });
      expect((failure as { hint: string }).hint).toMatch(/CATTLEGRID_RUNSC|usermod/);
      expect(await answer(await yard.start(), "id -u")).toBe("1000");
    } finally {
      await yard.close();
    }
  });

  test("is not offered when it is not there", async () => {
    const yard = open("/no/such/runsc");
    const { isolation, lacking } = await yard.provider.capabilities(NEVER);
    expect(isolation).toEqual(["namespaces"]);
    expect(lacking?.[0]).toMatchObject({ isolation: "gvisor" });
    await yard.close();
  });
});

describeTemplateBases({
  name: "at the local provider under gVisor",
  needed: SENTRY,
  makeProvider: makeSentryProvider,
  isolation: "gvisor",
  rooted: root(),
  isMadeElsewhere: true,
});
