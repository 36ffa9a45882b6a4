import type { Readable } from "node:stream";
import type { CommandResult } from "../agent/agent.ts";
import { CattlegridError } from "../errors/error.ts";
import type { ProcessEnding, ProcessRequest } from "../sandbox/process.ts";
import type { RunningSandbox } from "../sandbox/provider.ts";
import { createOutputWindow } from "./output-window.ts";

const OUTPUT_BYTES_MAX = 512 * 1024;

export interface CommandOptions {
  request: ProcessRequest;
  /** Kills the command; the reason is then thrown. */
  signal: AbortSignal;
  onOutput?(bytes: Buffer): void;
}

/**
 * Runs one command inside, without a terminal and with nothing to read, and keeps the beginning and the end of what
 * it wrote. Nothing it started is left. Throws when it cannot be started, is aborted, or the sandbox is lost.
 */
export async function runCommand(
  running: RunningSandbox,
  { request, signal, onOutput }: CommandOptions,
): Promise<CommandResult> {
  const started = await running.exec(request, signal);
  const kill = (): void => void started.kill();
  signal.addEventListener("abort", kill, { once: true });
  if (signal.aborted) kill();
  try {
    started.input.on("error", ignoreClosedInput);
    started.input.end();
    const outputs = [started.output, started.errors].map(async (stream) => {
      const window = createOutputWindow(OUTPUT_BYTES_MAX);
      if (stream !== undefined)
        await drain(stream, (bytes) => (window.push(bytes), onOutput?.(bytes)));
      return window.read().toString("utf8");
    });
    const [stdout = "", stderr = ""] = await Promise.all(outputs);
    const ending = await started.ended;
    signal.throwIfAborted();
    return { exitCode: codeOf(ending), stdout, stderr };
  } finally {
    signal.removeEventListener("abort", kill);
    await started.kill();
  }
}

/** A program may end without reading its input; its exit status says all there is to say. */
export function ignoreClosedInput(error: NodeJS.ErrnoException): void {
  const expected = [
    "EPIPE",
    "ECONNRESET",
    "EIO",
    "ERR_STREAM_DESTROYED",
    "ERR_STREAM_WRITE_AFTER_END",
  ];
  if (!expected.includes(String(error.code))) throw error;
}

async function drain(stream: Readable, take: (bytes: Buffer) => void): Promise<void> {
  for await (const bytes of stream) take(bytes as Buffer);
}

function codeOf(ending: ProcessEnding): number {
  if (ending.kind !== "lost") return ending.code;
  throw new CattlegridError("SANDBOX_LOST", `The sandbox was lost: ${ending.reason}.`);
}
