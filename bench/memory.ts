import { readFileSync } from "node:fs";
import { childrenOf } from "./bare-runtime.ts";

const MIB = 2 ** 20;

export interface TerminalCost {
  /** MiB that the engine grew by, for each. */
  engine: number;
  /** MiB of what the engine started for each, up to the sandbox's own process. */
  processes: number;
}

/** Opens `count` terminals one after the other and tells what each of them costs. */
export async function measureTerminals(
  enginePid: number,
  count: number,
  open: () => Promise<void>,
): Promise<TerminalCost> {
  // The first ones load what all share.
  for (let opened = 0; opened < 5; opened += 1) await open();
  const engineBefore = proportionalBytes(enginePid);
  const before = new Set(childrenOf(enginePid));
  for (let opened = 0; opened < count; opened += 1) await open();
  const engine = proportionalBytes(enginePid) - engineBefore;
  const started = childrenOf(enginePid).filter((pid) => !before.has(pid));
  const helpers = started.flatMap((pid) => [pid, ...childrenOf(pid)]);
  const processes = helpers.reduce((sum, pid) => sum + proportionalBytes(pid), 0);
  return { engine: engine / count / MIB, processes: processes / count / MIB };
}

/** What a process takes, with memory that it shares counted in part (PSS). */
export function proportionalBytes(pid: number): number {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  return kibibytes(text, "Pss") * 1024;
}

/** Its own memory, without what it has of files: how much of those counts depends on who else has them. */
export function anonymousBytes(pid: number): number {
  return kibibytes(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"), "Pss_Anon") * 1024;
}

/** What the kernel keeps for namespaces, mounts and processes, and files that lie in memory. */
export function kernelBytes(): number {
  const text = readFileSync("/proc/meminfo", "utf8");
  const parts = ["SUnreclaim", "KernelStack", "PageTables", "Percpu", "Shmem"];
  return parts.reduce((sum, part) => sum + kibibytes(text, part) * 1024, 0);
}

function kibibytes(text: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(text)?.[1] ?? 0);
}
