import { readdirSync, readFileSync } from "node:fs";
import { hasErrno } from "../../../../platform/native/libc.ts";

/**
 * The first process of a container in this process's own numbering. `reportedPid` is the engine's number for it, which is
 * another one where the engine lives in a process namespace of its own. Undefined: it is not of this kernel, not to be seen
 * from here, or not to be told from others that a runtime has put beside it.
 *
 * SECURITY: whatever the engine says, a process counts as the container's only if the kernel says so: by its control
 * group, whose name holds the container's id, and as the first one of its process namespace.
 */
export function findContainerInit(containerId: string, reportedPid: number): number | undefined {
  if (isContainerInit(reportedPid, containerId)) return reportedPid;
  const found = listContainerInits(containerId);
  const [exact] = found.filter((pid) => numbersOf(pid).includes(String(reportedPid)));
  return exact ?? (found.length === 1 ? found[0] : undefined);
}

/** More than one where the runtime has processes of its own in the container's control group, as gVisor has. */
export function listContainerInits(containerId: string): readonly number[] {
  const pids = readdirSync("/proc").map(Number).filter(Number.isSafeInteger);
  return pids.filter((pid) => isContainerInit(pid, containerId));
}

export function isContainerInit(pid: number, containerId: string): boolean {
  const groups = readProcess(`/proc/${pid}/cgroup`);
  if (groups === undefined || !groups.includes(containerId)) return false;
  return numbersOf(pid).at(-1) === "1";
}

/** What a process is called in each process namespace, from ours inward. */
function numbersOf(pid: number): readonly string[] {
  const numbers = /^NSpid:\s*(.*)$/m.exec(readProcess(`/proc/${pid}/status`) ?? "")?.[1];
  return numbers?.trim().split(/\s+/) ?? [];
}

/** Processes end while they are looked at, and those of other users may not be looked at. */
function readProcess(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ESRCH", "EACCES", "EPERM")) return undefined;
    throw error;
  }
}
