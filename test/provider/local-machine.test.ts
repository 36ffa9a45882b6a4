import { chownSync, existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { runProcess } from "../../src/platform/process.ts";
import { createLocalProvider } from "../../src/sandbox/providers/local/provider.ts";
import { answer, NEVER, SandboxYard, sh } from "../../src/testing/conformance/sandbox-yard.ts";
import { allOf, ordinaryUser, program, requirement, root } from "../support/requirement.ts";

const RUNTIME = allOf(program("crun"), program("unshare"));
const MOUNTS = allOf(RUNTIME, root(), program("mount"));
const LIMITS = allOf(
  RUNTIME,
  root(),
  requirement("a writable cgroup", () =>
    existsSync("/sys/fs/cgroup/memory/cgroup.procs") ||
    existsSync("/sys/fs/cgroup/cgroup.subtree_control")
      ? undefined
      : "no cgroup file system is mounted",
  ),
);
const PYTHON_TAKES_300_MIB = "/usr/bin/python3 -c 'x = bytearray(300 << 20); print(len(x))'";

let yard: SandboxYard;
beforeEach(() => {
  yard = new SandboxYard(createLocalProvider);
});
afterEach(async () => yard.close());

describe.skipIf(!RUNTIME.met)(RUNTIME.title("the machine under the local provider"), () => {
  test("every probe is executed and says how it went", async () => {
    const probes = await yard.provider.probe(NEVER);
    expect(probes.map(({ name }) => name)).toEqual([
      "namespace tools",
      "OCI runtime",
      "packet filter",
      "state directory",
      "sandbox",
      "gVisor",
      "cpu and memory limits",
      "file transfer by SSH",
    ]);
    const broken = probes.filter(({ status }) => status === "missing");
    expect(broken).toEqual([]);
    const unexplained = probes.filter((probe) => probe.status !== "ok" && !probe.remedy);
    expect(unexplained).toEqual([]);
  });

  test("where namespaces are forbidden nothing starts, and the remedy is named", async () => {
    const script = `
      import { createLocalProvider } from ${JSON.stringify(join(import.meta.dirname, "../../src/sandbox/providers/local/provider.ts"))};
      const provider = createLocalProvider({ stateDirectory: ${JSON.stringify(join(yard.directory, "s"))}, runtimeDirectory: ${JSON.stringify(join(yard.directory, "r"))} });
      const specification = { id: "a", name: "a", protectedPaths: [], homeLayers: [], toolchains: [], environment: {}, certificates: [], limits: {} };
      const failure = await provider.start(specification, { onCapture() {} }, new AbortController().signal).catch((error) => error);
      console.log(JSON.stringify({ code: failure.code, hint: failure.hint }));`;
    const forbid = 'echo 0 >/proc/sys/user/max_user_namespaces; exec "$@"';
    const { stdout, stderr } = await runProcess([
      "unshare",
      "--user",
      "--map-root-user",
      "sh",
      "-c",
      forbid,
      "sh",
      process.execPath,
      "--input-type=module-typescript",
      "-e",
      script,
    ]);
    expect(stderr).toBe("");
    expect(JSON.parse(stdout)).toEqual({
      code: "ISOLATION_UNAVAILABLE",
      hint: "Allow it: `sudo sysctl -w user.max_user_namespaces=15000`.",
    });
  });

  test("a workspace that has gone is named", async () => {
    const workspace = { path: join(yard.directory, "gone"), mode: "direct" as const };
    const failure = await yard.start({ workspace }).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "WORKSPACE_MISSING" });
    expect((await sh(await yard.start(), "true")).code).toBe(0);
  });
});

describe.skipIf(!MOUNTS.met)(MOUNTS.title("disks under the local provider"), () => {
  const mount = async (type: string, options: string): Promise<string> => {
    const path = yard.makeDirectory("state");
    const { code, stderr } = await runProcess(["mount", "-t", type, "-o", options, type, path]);
    expect(stderr).toBe("");
    expect(code).toBe(0);
    return path;
  };

  test("a full disk is DISK_FULL and leaves no half of a sandbox", async () => {
    const path = await mount("tmpfs", "size=64k,nr_inodes=17");
    try {
      const failures = [];
      for (let count = 0; count < 3; count++) {
        failures.push(
          await yard.provider.create(yard.specify(), NEVER).catch((error: unknown) => error),
        );
      }
      const failure = failures.findLast((each) => each !== undefined);
      expect(failure).toMatchObject({ code: "DISK_FULL" });
      const left = readdirSync(join(path, "sandboxes"));
      expect(left.every((id) => existsSync(join(path, "sandboxes", id, "usr/upper")))).toBe(true);
    } finally {
      await yard.provider.close();
      await runProcess(["umount", path]);
    }
  });

  test("a state directory on an overlay is refused with the remedy", async () => {
    for (const name of ["lower", "upper", "work"]) mkdirSync(join(yard.directory, name));
    const at = (name: string): string => join(yard.directory, name);
    const path = await mount(
      "overlay",
      `lowerdir=${at("lower")},upperdir=${at("upper")},workdir=${at("work")}`,
    );
    try {
      const failure = await yard.provider
        .create(yard.specify(), NEVER)
        .catch((error: unknown) => error);
      expect(failure).toMatchObject({ code: "FILE_SYSTEM_UNSUITABLE" });
      expect(String((failure as { hint: string }).hint)).toContain("CATTLEGRID_HOME");
    } finally {
      await runProcess(["umount", path]);
    }
  });

  test("a workspace of another account is the agent's inside and that account's outside", async () => {
    const path = yard.makeDirectory("project");
    writeFileSync(join(path, "by-root"), "");
    chownSync(path, 4321, 4322);
    writeFileSync(join(path, "f"), "");
    chownSync(join(path, "f"), 4321, 4322);
    const sandbox = await yard.start({ workspace: { path, mode: "direct" } });
    expect(await answer(sandbox, "stat -c %u:%g . f by-root; echo x >f; touch new")).toBe(
      "1000:1000\n1000:1000\n0:0",
    );
    expect((await sh(sandbox, "echo x >by-root")).code).not.toBe(0);
    const { uid, gid } = statSync(join(path, "new"));
    expect([uid, gid]).toEqual([4321, 4322]);
  });
});

describe.skipIf(!LIMITS.met)(LIMITS.title("limits of the local provider"), () => {
  test("memory beyond the limit ends the program, in that sandbox only", async () => {
    const limited = await yard.start({ limits: { memoryBytes: 128 << 20, cpus: 0.5 } });
    const free = await yard.start();
    expect((await sh(limited, PYTHON_TAKES_300_MIB)).code).toBe(137);
    expect(await answer(free, PYTHON_TAKES_300_MIB)).toBe(String(300 << 20));
    expect(limited.facts["limits"]).toMatchObject({ cpus: 0.5, memoryBytes: 128 << 20 });
    expect(await answer(limited, "cat /proc/self/cgroup | cut -d: -f3 | sort -u")).toBe("/");
  });
});

describe.skipIf(!ordinaryUser().met)(ordinaryUser().title("limits of an ordinary user"), () => {
  test("limits that cannot hold are refused instead of ignored", async () => {
    const { limits } = await yard.provider.capabilities(NEVER);
    const start = yard.start({ limits: { memoryBytes: 128 << 20 } });
    const code = await start.then(
      () => "started",
      (error: unknown) => (error as { code: string }).code,
    );
    expect(code).toBe(limits.includes("memory") ? "started" : "LIMITS_UNAVAILABLE");
  });
});
