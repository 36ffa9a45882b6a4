import { once } from "node:events";
import { closeSync, createReadStream, openSync } from "node:fs";
import { CattlegridError } from "../../../../errors/error.ts";
import { exitCode, spawnProcess } from "../../../../platform/process.ts";
import type { Compression } from "../../../bases/archive.ts";
import { requireProgram } from "../../../bases/program.ts";

const COMPLAINT_MAX = 2048;

/** A root file system as a tar stream; devices are the engine's to make. */
export function packDirectory(directory: string, signal: AbortSignal): AsyncIterable<Uint8Array> {
  const options = ["--create", "--numeric-owner", "--exclude=./dev/*", "--directory", directory];
  const why = `It packs the directory ${directory}.`;
  const argv = [requireProgram("tar", { why }), ...options, "."];
  return readProgram(argv, { signal, message: `The directory ${directory} cannot be packed` });
}

/** An archive's content; what compressed it is run here, as the engine may lack it. */
export function readArchive(
  path: string,
  compression: Compression | undefined,
  signal: AbortSignal,
): AsyncIterable<Uint8Array> {
  if (compression === undefined) return createReadStream(path, { signal, highWaterMark: 1 << 18 });
  const why = `It unpacks ${path}.`;
  const argv = [requireProgram(compression.program, { why }), "-dc"];
  return readProgram(argv, { signal, message: `The archive ${path} cannot be unpacked`, path });
}

interface Run {
  signal: AbortSignal;
  message: string;
  /** Of its standard input. */
  path?: string;
}

/** What a program writes; fails with BASE_INVALID at its end, unless that is a good one. */
async function* readProgram(
  argv: readonly string[],
  { signal, message, path }: Run,
): AsyncGenerator<Uint8Array> {
  const stdin = path === undefined ? undefined : openSync(path, "r");
  const child = spawnProcess(argv, {
    cwd: "/",
    stdio: [stdin ?? "ignore", "pipe", "pipe"],
    signal,
  });
  if (stdin !== undefined) closeSync(stdin);
  const closed = Promise.allSettled([once(child, "close")]);
  let complaint = "";
  child.stderr?.on("data", (bytes: Buffer) => {
    complaint = (complaint + String(bytes)).slice(-COMPLAINT_MAX);
  });
  try {
    for await (const bytes of child.stdout ?? []) yield bytes as Uint8Array;
    const [ended] = await closed;
    if (ended.status === "rejected") throw ended.reason;
    const [status, name] = ended.value as [number | null, NodeJS.Signals | null];
    if (exitCode(status, name) === 0) return;
    const why = complaint.trim().split("\n").at(-1) ?? "";
    throw new CattlegridError("BASE_INVALID", `${message}: ${why}`);
  } finally {
    child.kill("SIGKILL");
  }
}
