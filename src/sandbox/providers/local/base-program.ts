import { CattlegridError } from "../../../errors/error.ts";
import { exitCode, spawnProcess } from "../../../platform/process.ts";
import { findTool } from "./machine.ts";

const COMPLAINT_MAX = 2048;

/** Throws DEPENDENCY_MISSING with what to install. */
export function requireProgram(name: string, from = name): string {
  const found = findTool(name);
  if (found !== undefined) return found;
  throw new CattlegridError("DEPENDENCY_MISSING", `This base needs the program ${name}.`, {
    hint: `Install it: \`sudo apt-get install ${from}\`.`,
  });
}

interface Run {
  signal: AbortSignal;
  message: string;
  stdin?: number;
  code?: "BASE_INVALID" | "BASE_UNAVAILABLE";
}

/** What a program writes that makes a base. Throws DISK_FULL, BASE_UNSUITABLE, or `code`. */
export async function runProgram(
  argv: readonly string[],
  { signal, message, stdin, code = "BASE_INVALID" }: Run,
): Promise<string> {
  const environment = {
    PATH: "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
    HOME: "/nonexistent",
    LC_ALL: "C",
  };
  const child = spawnProcess(argv, {
    cwd: "/",
    environment,
    stdio: [stdin ?? "ignore", "pipe", "pipe"],
    signal,
  });
  let [output, complaint] = ["", ""];
  child.stdout?.on("data", (bytes: Buffer) => (output += String(bytes)));
  child.stderr?.on("data", (bytes: Buffer) => {
    complaint = (complaint + String(bytes)).slice(-COMPLAINT_MAX);
  });
  const status = await new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (exit, name) => resolve(exitCode(exit, name)));
  });
  if (status === 0) return output;
  const why = complaint.trim().split("\n").at(-1) ?? "";
  if (/No space left on device/.test(complaint)) {
    throw new CattlegridError("DISK_FULL", `${message}: the disk is full.`);
  }
  if (/no image found in (manifest list|image index) for architecture/.test(complaint)) {
    throw new CattlegridError("BASE_UNSUITABLE", `${message}: ${why}`);
  }
  throw new CattlegridError(code, `${message}: ${why}`, { details: { output: complaint } });
}
