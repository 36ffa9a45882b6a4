import { assert } from "../../errors/error.ts";
import calls from "./seccomp-calls.json" with { type: "json" };

const EPERM = 1;
const ENOSYS = 38;
const EPROTONOSUPPORT = 93;

const ARCHITECTURES: Readonly<Record<string, string>> = {
  x64: "SCMP_ARCH_X86_64",
  arm64: "SCMP_ARCH_AARCH64",
};

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET. */
const NAMESPACE_FLAGS = [
  0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000,
] as const;
const ANY_NAMESPACE = NAMESPACE_FLAGS.reduce((mask, flag) => mask + flag, 0);

const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
const AF_NETLINK = 16;
const NETLINK_ROUTE = 0;
const NETLINK_AUDIT = 9;
/** The one a program leaves to the kernel, TCP and UDP. */
const INTERNET_PROTOCOLS = [0, 6, 17];

/** Plain Linux, the same without address randomisation (debuggers), and the question what is set. */
const PERSONALITIES = [0, 0x0040000, 0xffffffff];

const O_CREAT = 0o100;
const O_TMPFILE = 0o20000000;
const S_ISUID = 0o4000;
const S_ISGID = 0o2000;

const TIOCSTI = 0x5412;
const TIOCLINUX = 0x541c;

/** First those whose mode is the second argument, then those whose third. */
const MODE_CALLS = ["chmod", "fchmod", "creat", "mknod", "fchmodat", "fchmodat2", "mknodat"];

interface Comparison {
  index: number;
  value: number;
  valueTwo?: number;
  op: "SCMP_CMP_EQ" | "SCMP_CMP_GT" | "SCMP_CMP_MASKED_EQ";
}

interface Rule {
  names: readonly string[];
  action: "SCMP_ACT_ALLOW" | "SCMP_ACT_ERRNO";
  errnoRet?: number;
  args?: readonly Comparison[];
}

/**
 * The OCI `linux.seccomp` of every sandbox: which system calls a process inside may make.
 *
 * SECURITY: what is not listed does not exist (ENOSYS), so that a C library newer than this list falls back
 * instead of failing, and clone3, whose flags a filter cannot see, is replaced by clone. What programs know and
 * must not have answers EPERM. One architecture only: 32-bit and x32 calls, whose numbers mean other things,
 * end the process.
 *
 * SECURITY: comparisons are made on 64 bits and the kernel then reads 32, so a rule that says "not N" is passed by
 * N + 2^32. Every rule here therefore allows by equality or masks the bits the kernel ignores.
 *
 * Tracing (ptrace, process_vm_readv, pidfd_getfd) is allowed: it reaches only processes of the same sandbox and
 * user, which are one agent anyway, the filter is applied to what a tracer changes, and debuggers need it.
 */
export function sandboxSeccomp(
  architecture: string = process.arch,
  { mayInstall = false }: { mayInstall?: boolean } = {},
): object {
  const name = ARCHITECTURES[architecture];
  assert(name !== undefined, `no system call filter for the architecture ${architecture}`);
  return {
    defaultAction: "SCMP_ACT_ERRNO",
    defaultErrnoRet: ENOSYS,
    architectures: [name],
    syscalls: [
      allow(Object.values(calls.allowed).flat()),
      refuse(calls.refused),
      ...cloneRules(),
      ...socketRules(),
      ...PERSONALITIES.map((value) => allow(["personality"], equal(0, value))),
      // SECURITY: packages bring set-user-id programs. What is installed lies on mounts without set-user-id, and outside
      // belongs to ids that are nobody's, or to the one who builds, in a directory that only we can enter. No workspace is
      // there meanwhile.
      ...(mayInstall ? [allow([...MODE_CALLS, "open", "openat"])] : modeRules()),
      ...ioctlRules(),
    ],
  };
}

function cloneRules(): Rule[] {
  return [
    allow(["clone"], masked(0, ANY_NAMESPACE, 0)),
    ...NAMESPACE_FLAGS.map((flag) => refuse(["clone"], masked(0, flag, flag))),
  ];
}

/**
 * SECURITY: local, internet and routing sockets. The crypto, virtual machine, packet and all other families
 * are kernel code that nothing inside needs; so are transports other than TCP and UDP. Routing sockets
 * serve the C library's list of interfaces.
 */
function socketRules(): Rule[] {
  return [
    allow(["socket"], equal(0, AF_UNIX)),
    allow(["socketpair"], equal(0, AF_UNIX)),
    ...[AF_INET, AF_INET6].flatMap((family) =>
      INTERNET_PROTOCOLS.map((protocol) => allow(["socket"], equal(0, family), equal(2, protocol))),
    ),
    allow(["socket"], equal(0, AF_NETLINK), equal(2, NETLINK_ROUTE)),
    // As by a kernel without audit: programs that make accounts go on without it then, and give up for any other error.
    {
      ...refuse(["socket"], equal(0, AF_NETLINK), equal(2, NETLINK_AUDIT)),
      errnoRet: EPROTONOSUPPORT,
    },
    refuse(["socket"], { index: 0, value: AF_NETLINK, op: "SCMP_CMP_GT" }),
  ];
}

/**
 * SECURITY: no set-user-id and no set-group-id bit. A file of the workspace belongs outside to the user, as root to
 * root, so such a program of the agent's making would give whoever starts it on the host the user's rights. `openat2`
 * has its mode in memory, where a filter cannot look, and so does not exist; programs fall back to `openat`.
 */
function modeRules(): Rule[] {
  const changing = [
    { names: MODE_CALLS.slice(0, 4), mode: 1 },
    { names: MODE_CALLS.slice(4), mode: 2 },
  ];
  const opening = [
    { names: ["open"], flags: 1, mode: 2 },
    { names: ["openat"], flags: 2, mode: 3 },
  ];
  const bits = [S_ISUID, S_ISGID];
  const harmless = (index: number): Comparison => masked(index, S_ISUID | S_ISGID, 0);
  return [
    ...changing.map(({ names, mode }) => allow(names, harmless(mode))),
    ...changing.flatMap(({ names, mode }) =>
      bits.map((bit) => refuse(names, masked(mode, bit, bit))),
    ),
    // Without one of these flags there is no mode, and whatever lies in its place means nothing.
    ...opening.map(({ names, flags }) => allow(names, masked(flags, O_CREAT | O_TMPFILE, 0))),
    ...opening.map(({ names, mode }) => allow(names, harmless(mode))),
    ...opening.flatMap(({ names, flags, mode }) =>
      [O_CREAT, O_TMPFILE].flatMap((flag) =>
        bits.map((bit) => refuse(names, masked(flags, flag, flag), masked(mode, bit, bit))),
      ),
    ),
  ];
}

/**
 * SECURITY: every request but the two that put keystrokes into a terminal, which a later reader of that terminal
 * would take for the user's. A filter has no "other than" for the low 32 bits, so this lists what differs from
 * both: in a bit where the two agree, or in the few values left.
 */
function ioctlRules(): Rule[] {
  const different = TIOCSTI ^ TIOCLINUX;
  const rules: Rule[] = [];
  for (let bit = 0; bit < 32; bit += 1) {
    const mask = 2 ** bit;
    if ((different & mask) !== 0) continue;
    const opposite = (TIOCSTI & mask) === 0 ? mask : 0;
    rules.push(allow(["ioctl"], masked(1, mask, opposite)));
  }
  const common = TIOCSTI & TIOCLINUX & ~different;
  for (let rest = 0; rest <= different; rest += 1) {
    const request = common | rest;
    if ((rest & ~different) !== 0 || request === TIOCSTI || request === TIOCLINUX) continue;
    rules.push(allow(["ioctl"], masked(1, 0xffffffff, request)));
  }
  return [
    ...rules,
    refuse(["ioctl"], masked(1, 0xffffffff, TIOCSTI)),
    refuse(["ioctl"], masked(1, 0xffffffff, TIOCLINUX)),
  ];
}

function allow(names: readonly string[], ...args: Comparison[]): Rule {
  return { names, action: "SCMP_ACT_ALLOW", ...(args.length > 0 && { args }) };
}

function refuse(names: readonly string[], ...args: Comparison[]): Rule {
  return {
    names,
    action: "SCMP_ACT_ERRNO",
    errnoRet: EPERM,
    ...(args.length > 0 && { args }),
  };
}

function equal(index: number, value: number): Comparison {
  return { index, value, op: "SCMP_CMP_EQ" };
}

/** `value` is the mask and `valueTwo` what must be left under it. */
function masked(index: number, mask: number, result: number): Comparison {
  return { index, value: mask, valueTwo: result, op: "SCMP_CMP_MASKED_EQ" };
}
