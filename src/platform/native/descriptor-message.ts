import koffi from "koffi";
import { checkCall, hasErrno, libc } from "./libc.ts";

const MSG_DONTWAIT = 0x40;
const MSG_CMSG_CLOEXEC = 0x40000000;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const CONTROL_BYTES = 24;
const RIGHTS_LENGTH = 20;
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

/**
 * Takes one descriptor from the next message on a local socket, without waiting. "empty" when no message is
 * there yet; undefined when the peer has closed or sent a message that carries none.
 */
export function receiveDescriptor(socketFd: number): number | "empty" | undefined {
  const control = Buffer.alloc(CONTROL_BYTES);
  const header = {
    name: null,
    nameLength: 0,
    vectors: [{ base: Buffer.alloc(PAYLOAD_BYTES), length: PAYLOAD_BYTES }],
    vectorCount: 1,
    control,
    controlLength: CONTROL_BYTES,
    flags: 0,
  };
  try {
    const flags = MSG_DONTWAIT | MSG_CMSG_CLOEXEC;
    checkCall(Number(recvmsg(socketFd, header, flags)), "receive a descriptor");
  } catch (error) {
    if (hasErrno(error, "EAGAIN", "EINTR")) return "empty";
    throw error;
  }
  const isDescriptor =
    Number(control.readBigUInt64LE(0)) === RIGHTS_LENGTH &&
    control.readInt32LE(8) === SOL_SOCKET &&
    control.readInt32LE(12) === SCM_RIGHTS;
  return isDescriptor ? control.readInt32LE(16) : undefined;
}
