import { checkCall, libc } from "./libc.ts";

const TIOCGPGRP = 0x540f;
const TIOCSWINSZ = 0x5414;
const TIOCGPTPEER = 0x5441;
const FIONBIO = 0x5421;
const O_RDWR_NOCTTY_CLOEXEC = 0o2 | 0o400 | 0o2000000;
const TCSANOW = 0;
const TERMIOS_BYTES = 60;
const OFLAG_OFFSET = 4;
const LFLAG_OFFSET = 12;
const OPOST = 1;
const ICANON = 2;

const TIOCSPTLCK = 0x40045431;

const openTerminalMaster = libc.func("int posix_openpt(int flags)");
const ioctl = libc.func("int ioctl(int fd, unsigned long request, void *value)");
const ioctlNumber = libc.func("int ioctl(int fd, unsigned long request, long value)");
const tcgetattr = libc.func("int tcgetattr(int fd, _Out_ void *termios)");
const tcsetattr = libc.func("int tcsetattr(int fd, int when, void *termios)");

export interface WindowSize {
  columns: number;
  rows: number;
}

/** Makes a terminal and returns its master. */
export function openTerminal(): number {
  const fd = checkCall(openTerminalMaster(O_RDWR_NOCTTY_CLOEXEC), "open a terminal");
  checkCall(ioctl(fd, TIOCSPTLCK, Buffer.alloc(4)), "unlock a terminal");
  return fd;
}

/** A read or write that would have to wait then fails with EAGAIN. */
export function stopWaiting(fd: number): void {
  const isOn = Buffer.alloc(4);
  isOn.writeInt32LE(1);
  checkCall(ioctl(fd, FIONBIO, isOn), "make a terminal's reads and writes return at once");
}

/** All of these take the master; the kernel applies them to the terminal behind it. */
export function setWindowSize(masterFd: number, { columns, rows }: WindowSize): void {
  const size = Buffer.alloc(8);
  size.writeUInt16LE(rows, 0);
  size.writeUInt16LE(columns, 2);
  checkCall(ioctl(masterFd, TIOCSWINSZ, size), "set the size of a terminal");
}

/** Bytes written then leave the terminal as they are: LF stays LF. */
export function disableOutputProcessing(masterFd: number): void {
  const attributes = readAttributes(masterFd);
  attributes.writeUInt32LE(attributes.readUInt32LE(OFLAG_OFFSET) & ~OPOST, OFLAG_OFFSET);
  checkCall(tcsetattr(masterFd, TCSANOW, attributes), "set the modes of a terminal");
}

/** Whether the program reads lines, so that ^D means the end of input. */
export function readsLines(masterFd: number): boolean {
  return (readAttributes(masterFd).readUInt32LE(LFLAG_OFFSET) & ICANON) !== 0;
}

/** The process group that the terminal's keys reach, in this process's numbering; 0 when there is none. */
export function foregroundGroup(masterFd: number): number {
  const group = Buffer.alloc(4);
  checkCall(ioctl(masterFd, TIOCGPGRP, group), "read a terminal's foreground group");
  return group.readInt32LE(0);
}

/** Opens the program's side, wherever its device lies; as long as it is open the master is not hung up. */
export function openPeer(masterFd: number): number {
  const fd: number = ioctlNumber(masterFd, TIOCGPTPEER, O_RDWR_NOCTTY_CLOEXEC);
  return checkCall(fd, "open the other side of a terminal");
}

function readAttributes(masterFd: number): Buffer {
  const attributes = Buffer.alloc(TERMIOS_BYTES + 16);
  checkCall(tcgetattr(masterFd, attributes), "read the modes of a terminal");
  return attributes;
}
