import { existsSync, readdirSync, readFileSync } from "node:fs";

/** Processes that have `text` in their command line or environment, as "pid command line". Not this one. */
export function processesNaming(text: string): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => {
      const command = readProcess(pid, "cmdline");
      if (command === "" || !(command + readProcess(pid, "environ")).includes(text)) return [];
      return [`${pid} ${command.replaceAll("\0", " ").trim()}`];
    });
}

export function mountsNaming(text: string): string[] {
  const lines = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
  return lines.filter((line) => line.includes(text));
}

/** The files below `directory` that hold `text`. */
export function filesHolding(directory: string, text: string): string[] {
  if (!existsSync(directory)) return [];
  const entries = readdirSync(directory, { withFileTypes: true, recursive: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => `${entry.parentPath}/${entry.name}`)
    .filter((path) => readFileSync(path).includes(text));
}

/** Empty for a process that has gone, or is another user's. */
function readProcess(pid: string, file: "cmdline" | "environ"): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "latin1");
  } catch (error) {
    if (["ENOENT", "ESRCH", "EACCES", "EPERM"].includes(String((error as { code?: string }).code)))
      return "";
    throw error;
  }
}
