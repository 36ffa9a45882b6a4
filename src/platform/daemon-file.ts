import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { dirname } from "node:path";
import { checkPrivateDirectory, type Paths } from "./paths.ts";

/** The socket of a daemon that answers, or undefined. Throws RUNTIME_DIRECTORY_UNSAFE. */
export async function findDaemon(paths: Paths, uid: number): Promise<string | undefined> {
  const { socket: written } = readDaemonFile(paths);
  if (written !== undefined && (await isAnswering(written, uid))) return written;
  const { socketFile } = paths;
  return socketFile !== written && (await isAnswering(socketFile, uid)) ? socketFile : undefined;
}

async function isAnswering(socket: string, uid: number): Promise<boolean> {
  try {
    // SECURITY: a client tells prompts and keys to whoever listens, so it looks at the directory itself.
    checkPrivateDirectory(dirname(socket), uid);
  } catch (error) {
    if (isAbsent(error)) return false;
    throw error;
  }
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const connection = connect(socket);
  connection.once("connect", () => resolve(true));
  connection.once("error", () => resolve(false));
  const isThere = await promise;
  connection.destroy();
  return isThere;
}

/** Written by the daemon once it listens. */
export function writeDaemonFile(paths: Paths): void {
  const unfinished = `${paths.daemonFile}.new`;
  const content = JSON.stringify({ pid: process.pid, socket: paths.socketFile });
  writeFileSync(unfinished, `${content}\n`, { mode: 0o600 });
  renameSync(unfinished, paths.daemonFile);
}

export function removeDaemonFile(paths: Paths): void {
  rmSync(paths.daemonFile, { force: true });
}

/** The process that wrote the daemon's file; it may have gone since. */
export function readDaemonPid(paths: Paths): number | undefined {
  return readDaemonFile(paths).pid;
}

function readDaemonFile({ daemonFile }: Paths): { socket?: string; pid?: number } {
  try {
    const content = JSON.parse(readFileSync(daemonFile, "utf8")) as Record<string, unknown>;
    const { socket, pid } = content;
    return {
      ...(typeof socket === "string" ? { socket } : {}),
      ...(Number.isSafeInteger(pid) ? { pid: Number(pid) } : {}),
    };
  } catch (error) {
    if (isAbsent(error) || error instanceof SyntaxError) return {};
    throw error;
  }
}

function isAbsent(error: unknown): boolean {
  return ["ENOENT", "ENOTDIR"].includes(String((error as NodeJS.ErrnoException).code));
}
