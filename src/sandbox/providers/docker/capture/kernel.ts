import { readFileSync } from "node:fs";
import { platform, release } from "node:os";
import type { Engine, EngineFacts } from "../engine/engine.ts";
import { FrameReader } from "../engine/frames.ts";
import { findContainerInit } from "./container-init.ts";
import type { CapturedContainer } from "./way.ts";

/** Drawn by a kernel when it starts, and never twice the same. */
const BOOT_ID = "/proc/sys/kernel/random/boot_id";

export interface OwnKernel {
  platform: NodeJS.Platform;
  release: string;
  /** Empty where it has none. */
  bootId: string;
}

/** What is known of the kernel on which an engine's containers run: at first no more than what the engine says. */
export interface KernelSight {
  release: string;
  /** Whether the first process of a container was seen among this machine's. */
  isInitSeen?: boolean;
  /** What a program in a container read. */
  bootId?: string;
}

/**
 * Whose kernel it is; `unknown` until there is more to see.
 * SECURITY: an image that lies about it gains nothing. Either way the gateway gets its sockets, or the sandbox does not start.
 */
export function judgeKernel(own: OwnKernel, sight: KernelSight): "ours" | "another" | "unknown" {
  if (own.platform !== "linux" || sight.release !== own.release) return "another";
  if (sight.isInitSeen === true) return "ours";
  if (sight.bootId === undefined) return "unknown";
  return sight.bootId !== "" && sight.bootId === own.bootId ? "ours" : "another";
}

/** Whether it is plain from what the engine says that its kernel is not ours; that it is takes a look. */
export function isOtherKernel({ KernelVersion }: EngineFacts): boolean {
  return judgeKernel(readOwnKernel(), { release: KernelVersion }) === "another";
}

/** Whether a container runs on this machine's kernel. */
export async function sharesKernel(
  engine: Engine,
  { id, reportedPid }: CapturedContainer,
  signal: AbortSignal,
): Promise<boolean> {
  const own = readOwnKernel();
  const seen = {
    release: own.release,
    isInitSeen: findContainerInit(id, reportedPid) !== undefined,
  };
  if (judgeKernel(own, seen) !== "unknown") return judgeKernel(own, seen) === "ours";
  return judgeKernel(own, { ...seen, bootId: await readBootId(engine, id, signal) }) === "ours";
}

function readOwnKernel(): OwnKernel {
  const bootId = platform() === "linux" ? readFileSync(BOOT_ID, "utf8").trim() : "";
  return { platform: platform(), release: release(), bootId };
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
