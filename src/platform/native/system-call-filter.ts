import koffi from "koffi";
import { checkCall, libc, systemError } from "./libc.ts";

const PR_SET_SECCOMP = 22;
const SECCOMP_MODE_FILTER = 2;
const F_SETFD = 2;
const INSTRUCTION_BYTES = 8;

const filterProgram = koffi.struct({ length: "ushort", filter: "void *" });
const prctl = libc.func("int prctl(int option, ulong two, void *three, ulong four, ulong five)");
const fcntl = libc.func("int fcntl(int fd, int command, ...)");
const execve = libc.func(
  "int execve(const char *path, const char **argv, const char **environment)",
);

/** One instruction of a filter, as the kernel reads it. */
export interface FilterInstruction {
  code: number;
  jumpIfTrue: number;
  jumpIfFalse: number;
  value: number;
}

/** Lays a filter over the calling thread and all that comes of it; needs the right to administer the machine. */
export function applyFilter(instructions: readonly FilterInstruction[]): void {
  const program = Buffer.alloc(instructions.length * INSTRUCTION_BYTES);
  for (const [index, each] of instructions.entries()) {
    const at = index * INSTRUCTION_BYTES;
    program.writeUInt16LE(each.code, at);
    program.writeUInt8(each.jumpIfTrue, at + 2);
    program.writeUInt8(each.jumpIfFalse, at + 3);
    program.writeUInt32LE(each.value, at + 4);
  }
  const header = { length: instructions.length, filter: program };
  checkCall(
    prctl(
      PR_SET_SECCOMP,
      SECCOMP_MODE_FILTER,
      koffi.as(header, koffi.pointer(filterProgram)),
      0,
      0,
    ),
    "filter system calls",
  );
}

/** Becomes another program, which gets this one's descriptors below `descriptorCount`. */
export function becomeProgram(argv: readonly string[], descriptorCount: number): never {
  const [program] = argv;
  const environment = Object.entries(process.env).map(([name, value]) => `${name}=${value}`);
  // Node makes whatever it inherits close on execution.
  for (let fd = 0; fd < descriptorCount; fd += 1) {
    checkCall(fcntl(fd, F_SETFD, "int", 0), `keep the descriptor ${fd}`);
  }
  checkCall(execve(program, [...argv, null], [...environment, null]), `execute ${program}`);
  throw systemError(0, "a program was executed and did not take over");
}
