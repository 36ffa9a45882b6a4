import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** What `read` gives, or undefined when the process that it is about has ended meanwhile. */
export function unlessGone<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "";
    if (["ENOENT", "ESRCH", "EACCES"].includes(code)) return undefined;
    throw error;
  }
}

export function processes(): readonly number[] {
  return readdirSync("/proc").map(Number).filter(Number.isSafeInteger);
}

/** Empty for one that has ended. */
export function commandOf(pid: number): string {
  const text = unlessGone(() => readFileSync(`/proc/${pid}/cmdline`, "utf8"));
  return text?.replaceAll("\0", " ") ?? "";
}

export function childrenOf(pid: number): readonly number[] {
  const text = unlessGone(() => readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8")) ?? "";
  return text.split(" ").filter(Boolean).map(Number);
}

export function parentOf(pid: number): number | undefined {
  const stat = unlessGone(() => readFileSync(`/proc/${pid}/stat`, "utf8"));
  return stat === undefined
    ? undefined
    : Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
}

export function processNamespace(pid: number): string | undefined {
  return unlessGone(() => readlinkSync(`/proc/${pid}/ns/pid`));
}

/** The `unshare` that holds the keeper of the process `engine`, and the keeper below it. Empty when there is none. */
export function keeperOf(engine: number): readonly number[] {
  const holder = childrenOf(engine).find((pid) => commandOf(pid).includes("keeper/main"));
  return holder === undefined ? [] : [holder, ...childrenOf(holder)];
}

export function descendantsOf(pid: number): readonly number[] {
  return childrenOf(pid).flatMap((child) => [child, ...descendantsOf(child)]);
}

/** What the runtime's program is doing for that engine at the moment. */
export function runtimesOf(engine: number): readonly number[] {
  return descendantsOf(engine).filter((pid) => {
    const command = commandOf(pid);
    return command.includes("/sys/runtime") && command.includes(" --root ");
  });
}

/** Processes in the namespace of the keeper: none can leave it, and all end with it. */
export function membersOf(keeper: number): readonly number[] {
  const own = processNamespace(keeper);
  return processes().filter((pid) => own !== undefined && processNamespace(pid) === own);
}
