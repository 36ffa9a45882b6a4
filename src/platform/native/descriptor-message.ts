import { closeSync } from "node:fs";
import koffi from "koffi";
import { checkCall, hasErrno, libc } from "./libc.ts";

const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const MSG_CMSG_CLOEXEC = 0x40000000;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const CONTROL_HEADER_BYTES = 16;
const DESCRIPTOR_BYTES = 4;
/** As many as one message here ever carries; what is more would be dropped and closed by the kernel. */
const DESCRIPTORS_MAX = 8;
const PAYLOAD_BYTES = 4096;

const ioVector = koffi.struct({ base: "void *", length: "size_t" });
const messageHeader = koffi.struct({
  name: "void *",
  nameLength: "uint32_t",
  vectors: koffi.pointer(ioVector),
  vectorCount: "size_t",
  control: "void *",
  controlLength: "size_t",
  flags: "int",
});
const recvmsg = libc.func("recvmsg", "long", [
  "int",
  koffi.inout(koffi.pointer(messageHeader)),
  "int",
]);
const sendmsg = libc.func("sendmsg", "long", ["int", koffi.pointer(messageHeader), "int"]);

export interface DescriptorMessage {
  bytes: Buffer;
  /** The receiver's own, which it closes. */
  fds: readonly number[];
}

/** Sends `bytes`, at least one, with descriptors on a local socket, without waiting; false: there is no room now. */
export function sendDescriptors(socketFd: number, { bytes, fds }: DescriptorMessage): boolean {
  const control = Buffer.alloc(CONTROL_HEADER_BYTES + DESCRIPTORS_MAX * DESCRIPTOR_BYTES);
  const length = CONTROL_HEADER_BYTES + fds.length * DESCRIPTOR_BYTES;
  control.writeBigUInt64LE(BigInt(length), 0);
  control.writeInt32LE(SOL_SOCKET, 8);
  control.writeInt32LE(SCM_RIGHTS, 12);
  for (const [index, fd] of fds.entries()) {
    control.writeInt32LE(fd, CONTROL_HEADER_BYTES + index * DESCRIPTOR_BYTES);
  }
  const header = headerOf(bytes, control, Math.ceil(length / 8) * 8);
  const flags = MSG_DONTWAIT | MSG_NOSIGNAL;
  return unlessWaiting(() =>
    checkCall(Number(sendmsg(socketFd, header, flags)), "send descriptors"),
  );
}

/**
 * Takes the next message from a local socket with the descriptors it carries, without waiting. "empty" when no message
 * is there yet; one without bytes when the peer has closed.
 */
export function receiveDescriptors(socketFd: number): DescriptorMessage | "empty" {
  const control = Buffer.alloc(CONTROL_HEADER_BYTES + DESCRIPTORS_MAX * DESCRIPTOR_BYTES);
  const payload = Buffer.alloc(PAYLOAD_BYTES);
  const header = headerOf(payload, control, control.length);
  let received = 0;
  const flags = MSG_DONTWAIT | MSG_CMSG_CLOEXEC;
  const isThere = unlessWaiting(() => {
    received = checkCall(Number(recvmsg(socketFd, header, flags)), "receive descriptors");
  });
  if (!isThere) return "empty";
  return { bytes: payload.subarray(0, received), fds: readDescriptors(control) };
}

/**
 * Takes one descriptor from the next message on a local socket, without waiting. "empty" when no message is
 * there yet; undefined when the peer has closed or sent a message that carries none.
 */
export function receiveDescriptor(socketFd: number): number | "empty" | undefined {
  const received = receiveDescriptors(socketFd);
  if (received === "empty") return "empty";
  const [fd, ...others] = received.fds;
  for (const other of others) closeSync(other);
  return fd;
}

function headerOf(bytes: Buffer, control: Buffer, controlLength: number): object {
  const vectors = [{ base: bytes, length: bytes.length }];
  return { name: null, nameLength: 0, vectors, vectorCount: 1, control, controlLength, flags: 0 };
}

function readDescriptors(control: Buffer): readonly number[] {
  const isRights = control.readInt32LE(8) === SOL_SOCKET && control.readInt32LE(12) === SCM_RIGHTS;
  const bytes = isRights ? Number(control.readBigUInt64LE(0)) - CONTROL_HEADER_BYTES : 0;
  return Array.from({ length: bytes / DESCRIPTOR_BYTES }, (_, index) =>
    control.readInt32LE(CONTROL_HEADER_BYTES + index * DESCRIPTOR_BYTES),
  );
}

function unlessWaiting(call: () => void): boolean {
  try {
    call();
    return true;
  } catch (error) {
    if (hasErrno(error, "EAGAIN", "EINTR")) return false;
    throw error;
  }
}
