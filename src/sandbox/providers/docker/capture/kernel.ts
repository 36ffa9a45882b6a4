import { readFileSync } from "node:fs";
import { release } from "node:os";
import type { Engine, EngineFacts } from "../engine.ts";
import { FrameReader } from "../frames.ts";
import { findContainerInit } from "./container-init.ts";
import type { CapturedContainer } from "./way.ts";

/** Drawn by a kernel when it starts, and never twice the same. */
const BOOT_ID = "/proc/sys/kernel/random/boot_id";

/** Whether it is plain from what the engine says that its kernel is not ours; that it is takes a look. */
export function isOtherKernel({ KernelVersion }: EngineFacts): boolean {
  return process.platform !== "linux" || KernelVersion !== release();
}

/**
 * Whether a container runs on this machine's kernel: its first process is to be seen from here, or its kernel has drawn the
 * same number at its start.
 * SECURITY: an image that lies about it gains nothing. Either way the gateway gets its sockets, or the sandbox does not start.
 */
export async function sharesKernel(
  engine: Engine,
  { id, reportedPid }: CapturedContainer,
  signal: AbortSignal,
): Promise<boolean> {
  if (process.platform !== "linux") return false;
  if (findContainerInit(id, reportedPid) !== undefined) return true;
  return (await readBootId(engine, id, signal)) === readFileSync(BOOT_ID, "utf8").trim();
}

async function readBootId(engine: Engine, id: string, signal: AbortSignal): Promise<string> {
  const wish = { argv: ["cat", BOOT_ID], environment: [], user: "", hasTerminal: false };
  const exec = await engine.createExec(id, { ...wish, hasInput: false }, signal);
  const { socket, head } = await engine.startExec(exec, false, signal);
  const frames = new FrameReader();
  let text = "";
  const take = (bytes: Buffer): void => {
    for (const { stream, bytes: part } of frames.take(bytes)) {
      if (stream === "output") text += String(part);
    }
  };
  take(head);
  for await (const bytes of socket) take(bytes as Buffer);
  return text.trim();
}
