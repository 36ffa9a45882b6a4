import koffi from "koffi";
import { assert } from "../../errors/error.ts";
import { checkCall, libc, systemError } from "./libc.ts";

const SECCOMP_NUMBERS: Readonly<Record<string, number>> = { x64: 317, arm64: 277 };
const SET_MODE_FILTER = 1;
const FOR_ALL_THREADS = 1;
const F_SETFD = 2;
const INSTRUCTION_BYTES = 8;

const filterProgram = koffi.struct({ length: "ushort", filter: "void *" });
const seccomp = libc.func("long syscall(long number, uint operation, ulong flags, void *program)");
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

/**
 * Lays a filter over every thread of this process and all that comes of it; needs the right to administer the machine,
 * or at least this user namespace.
 */
export function applyFilter(instructions: readonly FilterInstruction[]): void {
  const number = SECCOMP_NUMBERS[process.arch];
  assert(number !== undefined, `no system call filters on the architecture ${process.arch}`);
  const program = Buffer.alloc(instructions.length * INSTRUCTION_BYTES);
  for (const [index, each] of instructions.entries()) {
    const at = index * INSTRUCTION_BYTES;
    program.writeUInt16LE(each.code, at);
    program.writeUInt8(each.jumpIfTrue, at + 2);
    program.writeUInt8(each.jumpIfFalse, at + 3);
    program.writeUInt32LE(each.value, at + 4);
  }
  const header = { length: instructions.length, filter: program };
  const pointer = koffi.as(header, koffi.pointer(filterProgram));
  const stranger = checkCall(
    Number(seccomp(number, SET_MODE_FILTER, FOR_ALL_THREADS, pointer)),
    "filter system calls",
  );
  // The number of a thread that could not be given it.
  assert(stranger === 0, `the thread ${stranger} has a filter of its own`);
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
