import { sandboxSeccomp } from "../../../guest/seccomp.ts";

const ENOSYS = 38;
/**
 * Younger calls, for which programs fall back to older ones if they are told that there are none. Docker 20.10 does not pass
 * on what is said of all others, and gives EPERM, at which the C library starts no thread.
 */
const YOUNG = [
  "clone3",
  "file_getattr",
  "file_setattr",
  "getxattrat",
  "io_uring_enter",
  "io_uring_register",
  "io_uring_setup",
  "listmount",
  "listxattrat",
  "lsm_get_self_attr",
  "lsm_list_modules",
  "lsm_set_self_attr",
  "map_shadow_stack",
  "memfd_secret",
  "openat2",
  "quotactl_fd",
  "removexattrat",
  "set_mempolicy_home_node",
  "setxattrat",
  "statmount",
];

/**
 * Which system calls a process inside may make, as the engine takes it. `mayInstall`: for building a template, whose steps
 * install packages. `hasOwnKernel`: they are answered by gVisor, which
 * knows no error but EPERM here, at which no thread would start; in its namespaces there is nothing to be had.
 */
export function engineSeccomp({
  hasOwnKernel,
  mayInstall,
}: {
  hasOwnKernel: boolean;
  mayInstall: boolean;
}): object {
  const profile = sandboxSeccomp(process.arch, { mayInstall }) as { syscalls: readonly object[] };
  if (hasOwnKernel) {
    const starting = { names: ["clone3"], action: "SCMP_ACT_ALLOW" };
    return { ...profile, syscalls: [...profile.syscalls, starting] };
  }
  const young = { names: YOUNG, action: "SCMP_ACT_ERRNO", errnoRet: ENOSYS };
  return { ...profile, syscalls: [...profile.syscalls, young] };
}
