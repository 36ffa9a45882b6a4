import { once } from "node:events";
import { copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { spawnProcess, type ChildProcess } from "../../src/platform/process.ts";
import { CattlegridError } from "../../src/errors/error.ts";
import { ECHO } from "../bare-runtime.ts";
import { findPrograms, succeed, typeCommand, type Command, type Peer } from "./peer.ts";

const PROGRAMS = ["bwrap", "socat", "rg"];
const PACKAGES = ["bubblewrap", "socat", "ripgrep", "libwrap0"];
const PACKAGE = "node_modules/@anthropic-ai/sandbox-runtime/dist";
/** Its library is a sandbox of the process that imports it, which is therefore one of its own. */
const RESIDENT = join(import.meta.dirname, "resident-srt.mjs");

/** Anthropic's sandbox-runtime in the version that the lock names, as a command and as a resident library. */
export async function openSrt(directory: string): Promise<Peer> {
  const environment = await findPrograms(PROGRAMS, PACKAGES, directory);
  for (const name of ["package.json", "package-lock.json"]) {
    copyFileSync(join(import.meta.dirname, name), join(directory, name));
  }
  const install = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
  await succeed(install, { cwd: directory });
  const workspace = join(directory, "workspace");
  mkdirSync(workspace);
  const at = { environment, cwd: workspace };
  const resident = startResident(join(directory, PACKAGE, "index.js"), at);
  const stop = async (): Promise<void> => {
    if (resident.exitCode !== null || resident.signalCode !== null) return;
    const exited = once(resident, "exit");
    resident.stdin?.end();
    await exited;
  };
  return {
    subjects: {
      srt: () => typeCommand([process.execPath, join(directory, PACKAGE, "cli.js"), ...ECHO], at),
      "srt library": () => askResident(resident),
    },
    [Symbol.asyncDispose]: stop,
  };
}

function startResident(library: string, at: Command): ChildProcess {
  const argv = [process.execPath, RESIDENT, library, ECHO.join(" ")];
  const child = spawnProcess(argv, { ...at, stdio: ["pipe", "pipe", "ignore"] });
  child.once("error", () => undefined);
  child.stdin?.on("error", () => undefined);
  return child;
}

/** One program in a new sandbox: its first byte, then the end that the resident process reports. */
async function askResident(resident: ChildProcess): Promise<() => Promise<void>> {
  const text = { value: "" };
  const ended = Promise.withResolvers<void>();
  const first = Promise.withResolvers<void>();
  const take = (bytes: Buffer): void => {
    text.value += bytes.toString();
    first.resolve();
    if (text.value.includes("ended\n")) ended.resolve();
  };
  const fail = (): void => {
    const error = new CattlegridError("INTERNAL", "the process that holds srt's library ended");
    first.reject(error);
    ended.reject(error);
  };
  resident.stdout?.on("data", take);
  resident.once("close", fail);
  // A failure that comes before anybody waits for it is told to whoever does.
  void Promise.allSettled([ended.promise]);
  resident.stdin?.write("run\n");
  await first.promise;
  return async () => {
    await ended.promise;
    resident.stdout?.off("data", take);
    resident.off("close", fail);
    if (text.value === "hi\nended\n") return;
    throw new CattlegridError("INTERNAL", `srt's library ran a program that printed ${text.value}`);
  };
}
