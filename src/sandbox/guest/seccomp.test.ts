import { join } from "node:path";
import { writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  CRUN,
  openCrunContainer,
  type CrunContainer,
} from "../../../test/support/crun-container.ts";
import { Programs, TERMINAL } from "../../../test/support/programs.ts";
import { allOf, program, requirement } from "../../../test/support/requirement.ts";
import { sandboxSeccomp } from "./seccomp.ts";

const PYTHON = allOf(CRUN, program("python3"));
const X86 = allOf(
  PYTHON,
  requirement("an x86-64 machine", () => (process.arch === "x64" ? undefined : process.arch)),
);

/** Makes the system calls of its arguments, numbers in Python's notation, and prints each one's error. */
const CALLER = `
import ctypes, errno, os, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
def call(text):
    values = [ctypes.c_ulong(int(part, 0) & (2**64 - 1)) for part in text.split(',')]
    ctypes.set_errno(0)
    result = libc.syscall(*values)
    return 'ok' if result >= 0 else errno.errorcode[ctypes.get_errno()]
for text in sys.argv[1:]:
    print(call(text), flush=True)
`;

const SOCKET = 41;
const SOCKETPAIR = 53;
const IOCTL = 16;
const CLONE = 56;
const PERSONALITY = 135;
const HIGH = 2 ** 32;
const STREAM = 1;
const DATAGRAM = 2;
const RAW = 3;
const TIOCSTI = 0x5412;
const TIOCLINUX = 0x541c;
const TIOCGWINSZ = 0x5413;

describe("the filter", () => {
  test("is for one architecture, and what it does not list does not exist", () => {
    for (const [architecture, name] of [
      ["x64", "SCMP_ARCH_X86_64"],
      ["arm64", "SCMP_ARCH_AARCH64"],
    ]) {
      expect(sandboxSeccomp(architecture)).toMatchObject({
        architectures: [name],
        defaultAction: "SCMP_ACT_ERRNO",
        defaultErrnoRet: 38,
      });
    }
    expect(() => sandboxSeccomp("ia32")).toThrow("ia32");
  });

  test("never allows by inequality, which 64-bit arguments pass", () => {
    expect(JSON.stringify(sandboxSeccomp("x64"))).not.toMatch(/SCMP_CMP_(NE|LT|LE)/);
  });

  test("allows no call twice and none that it refuses", () => {
    const { syscalls } = sandboxSeccomp("x64") as {
      syscalls: { names: string[]; args?: object }[];
    };
    const names = syscalls.filter(({ args }) => args === undefined).flatMap((rule) => rule.names);
    expect(names.length).toBe(new Set(names).size);
  });
});

describe.skipIf(!X86.met)(X86.title("system calls in a container"), () => {
  let box: CrunContainer;
  let programs: Programs;
  beforeAll(async () => {
    box = await openCrunContainer();
    programs = new Programs(box);
    writeFileSync(join(box.shared, "caller.py"), CALLER);
  });
  afterAll(async () => {
    await box.close();
  });

  async function call(...numbers: readonly number[]): Promise<string> {
    const { output, errors } = await programs.run({
      argv: ["python3", "/shared/caller.py", numbers.join(",")],
      terminal: { ...TERMINAL, rawOutput: true, separateErrors: true },
    });
    expect(errors.toString()).toBe("");
    return output.toString().trim();
  }

  test.each([
    ["a local socket", [SOCKET, 1, STREAM, 0], "ok"],
    ["an IPv4 socket", [SOCKET, 2, STREAM, 0], "ok"],
    ["an IPv4 UDP socket", [SOCKET, 2, DATAGRAM, 17], "ok"],
    ["an IPv6 TCP socket", [SOCKET, 10, STREAM, 6], "ok"],
    ["a routing socket", [SOCKET, 16, RAW, 0], "ok"],
    ["a local pair", [SOCKETPAIR, 1, STREAM, 0, 0], "EFAULT"],
    ["a netfilter socket", [SOCKET, 16, RAW, 12], "ENOSYS"],
    ["an audit socket", [SOCKET, 16, RAW, 9], "EPROTONOSUPPORT"],
    ["a ping socket", [SOCKET, 2, DATAGRAM, 1], "ENOSYS"],
    ["an SCTP socket", [SOCKET, 2, STREAM, 132], "ENOSYS"],
    ["a packet socket", [SOCKET, 17, RAW, 0], "EPERM"],
    ["a crypto socket", [SOCKET, 38, 5, 0], "EPERM"],
    ["a virtual machine socket", [SOCKET, 40, STREAM, 0], "EPERM"],
    ["a virtual machine socket by the high bits", [SOCKET, HIGH + 40, STREAM, 0], "EPERM"],
    ["an old network socket", [SOCKET, 4, DATAGRAM, 0], "ENOSYS"],
  ])("socket: %s %j is %s", async (_title, numbers, result) => {
    expect(await call(...numbers)).toBe(result);
  });

  test.each([
    ["window size", [IOCTL, 1, TIOCGWINSZ, 0], "EFAULT"],
    ["keystroke", [IOCTL, 1, TIOCSTI, 0], "EPERM"],
    ["keystroke by the high bits", [IOCTL, 1, HIGH + TIOCSTI, 0], "EPERM"],
    ["console", [IOCTL, 1, TIOCLINUX, 0], "EPERM"],
    ["console by the high bits", [IOCTL, 1, HIGH * 3 + TIOCLINUX, 0], "EPERM"],
    ["neighbour below", [IOCTL, 1, TIOCSTI - 2, 0], "EFAULT"],
    ["neighbour between", [IOCTL, 1, TIOCLINUX - 1, 0], "EFAULT"],
  ])("ioctl: %s %j is %s", async (_title, numbers, result) => {
    expect(await call(...numbers)).toBe(result);
  });

  test.each([
    ["what it is", [PERSONALITY, 0xffffffff], "ok"],
    ["plain", [PERSONALITY, 0], "ok"],
    ["without randomisation", [PERSONALITY, 0x40000], "ok"],
    ["readable means executable", [PERSONALITY, 0x400000], "ENOSYS"],
    ["a user namespace", [CLONE, 0x10000000, 0, 0, 0, 0], "EPERM"],
    ["a network namespace by the high bits", [CLONE, HIGH + 0x40000000, 0, 0, 0, 0], "EPERM"],
    ["clone3", [435, 0, 0], "ENOSYS"],
    ["unshare", [272, 0x10000000], "EPERM"],
    ["setns", [308, 0, 0], "EPERM"],
    ["mount", [165, 0, 0, 0, 0, 0], "EPERM"],
    ["open_tree", [428, 0, 0, 0], "EPERM"],
    ["pivot_root", [155, 0, 0], "EPERM"],
    ["keyctl", [250, 0, 0], "EPERM"],
    ["add_key", [248, 0, 0, 0, 0, 0], "EPERM"],
    ["bpf", [321, 0, 0, 0], "EPERM"],
    ["perf_event_open", [298, 0, 0, 0, 0, 0], "EPERM"],
    ["userfaultfd", [323, 0], "EPERM"],
    ["open_by_handle_at", [304, 0, 0, 0], "EPERM"],
    ["io_uring_setup", [425, 1, 0], "ENOSYS"],
    ["a call that no kernel has", [2000], "ENOSYS"],
    ["init_module", [175, 0, 0, 0], "EPERM"],
    ["kexec_load", [246, 0, 0, 0, 0], "EPERM"],
  ])("%s %j is %s", async (_title, numbers, result) => {
    expect(await call(...numbers)).toBe(result);
  });

  test("an x32 call ends the process", async () => {
    const { ending } = await programs.run({
      argv: ["python3", "/shared/caller.py", String(0x40000000 + 39)],
    });
    expect(ending).toMatchObject({ kind: "signalled", signal: "SIGSYS" });
  });

  test("threads, children, locks, timers and the list of interfaces work", async () => {
    const script = `
import os, socket, subprocess, tempfile, threading, time
thread = threading.Thread(target=time.sleep, args=(0.01,)); thread.start(); thread.join()
assert subprocess.run(['true']).returncode == 0
assert [name for _, name in socket.if_nameindex()][:1] == ['lo']
server = socket.create_server(('127.0.0.1', 0)) if 'lo' else None
with tempfile.NamedTemporaryFile() as file: os.chmod(file.name, 0o600)
print('fine')
`;
    const { output, errors } = await programs.run({ argv: ["python3", "-c", script] });
    expect([output.toString(), errors.toString()]).toEqual(["fine\n", ""]);
  });
});
