import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { createLocalProvider } from "../../src/sandbox/providers/local/provider.ts";
import type { NamedPrograms } from "../../src/sandbox/providers/local/runtimes/choice.ts";
import { describeSandboxProvider } from "../../src/testing/conformance/sandbox-provider.ts";
import { answer, NEVER, SandboxYard, sh } from "../../src/testing/conformance/sandbox-yard.ts";
import { allOf, program } from "../support/requirement.ts";
import { RUNC, RUNC_PROGRAM } from "../support/runc.ts";

describeSandboxProvider("local sandbox provider under runc", {
  makeProvider: (directories) =>
    createLocalProvider({
      ...directories,
      programs: { runc: RUNC_PROGRAM, runsc: "/no/such/runsc" },
    }),
  requirement: RUNC,
  capabilities: {
    isolation: ["namespaces"],
    workspaceModes: ["direct", "readonly", "overlay", "clone"],
    workspaceFiles: "shared",
    layers: true,
    egress: "enforced",
    ports: true,
    snapshot: false,
    warmPool: true,
    bases: true,
  },
});

const CRUN = allOf(program("crun"), program("unshare"), program("nsenter"));

describe.skipIf(!RUNC.met)(RUNC.title("runc as the second runtime"), () => {
  test("takes the place of a crun that refuses this machine, and says so", async () => {
    const yard = open({ crun: "/bin/false", runc: RUNC_PROGRAM });
    try {
      const sandbox = await yard.start();
      expect(sandbox.facts).toMatchObject({
        isolation: "namespaces",
        runtime: expect.stringMatching(/^runc \d/),
      });
      const later = await yard.start();
      expect(later.facts["runtime"]).toBe(sandbox.facts["runtime"]);
    } finally {
      await yard.close();
    }
  });

  test("programs that runc starts have the same filter as under crun, and no other privileges", async () => {
    const yard = open({ runc: RUNC_PROGRAM });
    try {
      const status =
        "grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status | tr -d '\\t'";
      const held = "CapBnd:0000000000000000\nNoNewPrivs:1\nSeccomp:2";
      const sandbox = await yard.start();
      expect(await answer(sandbox, status)).toBe(`CapEff:0000000000000000\n${held}`);
      expect(await answer(sandbox, `${status.replace("self", "1")} | tail -n 3`)).toBe(held);
      const calls = JSON.parse(await answer(sandbox, OPEN_WITH_MODE)) as unknown;
      // ENOSYS of openat2; the set-user-id bit by openat is EPERM, and without it openat works.
      expect(calls).toEqual({ openat2: 38, "openat set-id": 1, openat: 0 });
    } finally {
      await yard.close();
    }
  });

  test("an exec ends with the status or signal of its program, and leaves none of its leaders", async () => {
    const yard = open({ runc: RUNC_PROGRAM });
    try {
      const sandbox = await yard.start();
      expect((await sh(sandbox, "exit 41")).code).toBe(41);
      const killed = await sandbox.exec({ argv: ["sh", "-c", "echo up; sleep 7321"] }, NEVER);
      killed.errors?.resume();
      await once(killed.output, "data");
      expect(leaders()).not.toEqual([]);
      await killed.signal("SIGTERM");
      expect(await killed.ended).toMatchObject({ kind: "signalled", signal: "SIGTERM" });
      await expect.poll(leaders, { timeout: 20_000 }).toEqual([]);
    } finally {
      await yard.close();
    }
  });
});

describe.skipIf(!CRUN.met)(CRUN.title("a runc that does not work"), () => {
  test("is refused with the remedy, and nothing runs under it", async () => {
    const yard = open({ runc: "/bin/false" });
    try {
      const failure = await yard.start().catch((error: unknown) => error);
      expect(failure).toMatchObject({ code: "ISOLATION_UNAVAILABLE" });
      expect((failure as { hint: string }).hint).toMatch(/apt-get install (crun|uidmap)/);
    } finally {
      await yard.close();
    }
  });

  test("is not asked for anything where crun holds a sandbox", async () => {
    const yard = new SandboxYard(createLocalProvider);
    try {
      expect((await yard.start()).facts["runtime"]).toMatch(/^crun \d/);
    } finally {
      await yard.close();
    }
  });
});

function open(programs: NamedPrograms): SandboxYard {
  return new SandboxYard((directories) => createLocalProvider({ ...directories, programs }));
}

/** The processes of this user that lead a program which runc has started. */
function leaders(): readonly string[] {
  return readdirSync("/proc").filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      const command = readFileSync(join("/proc", name, "cmdline"), "utf8").split("\0");
      return (
        command.some((each) => each.endsWith("/runtime-leader.ts")) && command.includes("exec")
      );
    } catch (error) {
      if (["ENOENT", "ESRCH"].includes(String((error as NodeJS.ErrnoException).code))) return false;
      throw error;
    }
  });
}

const OPEN_WITH_MODE = `/usr/bin/python3 -c '
import ctypes, json, os
libc = ctypes.CDLL(None, use_errno=True)
def error(result):
    return 0 if result >= 0 else ctypes.get_errno()
how = (ctypes.c_ulonglong * 3)(os.O_CREAT | os.O_WRONLY, 0o4700, 0)
made = libc.syscall(437, -100, b"/tmp/by-openat2", how, 24)
print(json.dumps({
    "openat2": error(made),
    "openat set-id": error(libc.openat(-100, b"/tmp/by-openat", os.O_CREAT | os.O_WRONLY, 0o4700)),
    "openat": error(libc.openat(-100, b"/tmp/by-openat", os.O_CREAT | os.O_WRONLY, 0o700)),
}))'`;
