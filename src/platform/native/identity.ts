import { libc } from "./libc.ts";

const setfsuid = libc.func("int setfsuid(uint uid)");
const setfsgid = libc.func("int setfsgid(uint gid)");

/** Does something to files as another user, synchronously and on this thread: what is made belongs to that user. */
export function actAs<T>({ uid, gid }: { uid: number; gid: number }, act: () => T): T {
  const gidBefore = Number(setfsgid(gid));
  const uidBefore = Number(setfsuid(uid));
  try {
    return act();
  } finally {
    setfsuid(uidBefore);
    setfsgid(gidBefore);
  }
}
