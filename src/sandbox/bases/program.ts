import { CattlegridError } from "../../errors/error.ts";
import { exitCode, spawnProcess } from "../../platform/process.ts";
import { findSystemProgram } from "../../platform/system-program.ts";

const COMPLAINT_MAX = 2048;

/** Throws DEPENDENCY_MISSING with what to install, by default the package of its name, and what it is for. */
export function requireProgram(
  name: string,
  { from = name, why }: { from?: string; why: string },
): string {
  const found = findSystemProgram(name);
  if (found !== undefined) return found;
  const message = `The program ${name} is not installed. ${why}`;
  throw new CattlegridError("DEPENDENCY_MISSING", message, {
    hint: `Install it: \`sudo apt-get install ${from}\`.`,
  });
}

interface Run {
  signal: AbortSignal;
  message: string;
  stdin?: number;
  /** What a failure means of a program that asks a registry; what it does not know is BASE_UNAVAILABLE. */
  explain?(complaint: string): CattlegridError | undefined;
}

/** What a program writes that makes a base. Throws DISK_FULL, BASE_UNSUITABLE, BASE_INVALID, or what `explain` says. */
export async function runProgram(
  argv: readonly string[],
  { signal, message, stdin, explain }: Run,
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
  const code = explain === undefined ? "BASE_INVALID" : "BASE_UNAVAILABLE";
  const failure = new CattlegridError(code, `${message}: ${why}`, {
    details: { output: complaint },
  });
  throw explain?.(complaint) ?? failure;
}
