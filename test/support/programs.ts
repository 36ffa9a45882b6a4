import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { CattlegridError } from "../../src/errors/error.ts";
import type { ErrorCode } from "../../src/errors/codes.ts";
import type { ProcessEnding, ProcessRequest, SandboxProcess } from "../../src/sandbox/process.ts";
import { execProcess } from "../../src/sandbox/providers/local/process/process.ts";
import type { CrunContainer } from "./crun-container.ts";

export const TERMINAL = { columns: 100, rows: 30 };
export const NEVER = new AbortController().signal;

/** How long the sleepers of this test file sleep: nobody else's look like them. */
export const MARKED_SECONDS = `7200.${process.pid}`;

export interface Finished {
  output: Buffer;
  errors: Buffer;
  ending: ProcessEnding;
}

/** Runs programs in a container and keeps what they print. */
export class Programs {
  readonly #box: CrunContainer;

  constructor(box: CrunContainer) {
    this.#box = box;
  }

  async start(request: ProcessRequest): Promise<SandboxProcess> {
    return execProcess(this.#box.target, request, NEVER);
  }

  /** Without input of its own a program on pipes finds its input at the end. */
  async run(request: ProcessRequest): Promise<Finished> {
    const process = await this.start(request);
    if (request.terminal === undefined && request.inputBytes === undefined) process.input.end();
    return finish(process);
  }

  async shell(script: string, terminal?: ProcessRequest["terminal"]): Promise<Finished> {
    return this.run({ argv: ["sh", "-c", script], ...(terminal && { terminal }) });
  }

  async failure(request: ProcessRequest): Promise<ErrorCode> {
    try {
      await (await this.start(request)).kill();
    } catch (error) {
      if (CattlegridError.is(error)) return error.code;
      throw error;
    }
    throw new TypeError("it started");
  }
}

export async function finish(process: SandboxProcess): Promise<Finished> {
  const [output, errors] = await Promise.all([
    collect(process.output),
    process.errors === undefined ? Buffer.alloc(0) : collect(process.errors),
  ]);
  return { output, errors, ending: await process.ended };
}

async function collect(stream: NodeJS.ReadableStream): Promise<Buffer> {
  const chunks: Buffer[] = [];
  stream.on("data", (bytes: Buffer) => chunks.push(bytes));
  if (!(stream as { readableEnded?: boolean }).readableEnded) await once(stream, "end");
  return Buffer.concat(chunks);
}

/** Resolves when a stream that nobody reads takes in nothing more. */
export async function stillness(stream: SandboxProcess["output"]): Promise<void> {
  stream.read(0);
  for (let last = -1; last !== stream.readableLength || last === 0;) {
    last = stream.readableLength;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Waits for texts in the order in which they are asked for. */
export function watch(process: SandboxProcess): (text: string) => Promise<void> {
  let unseen = "";
  process.output.on("data", (bytes: Buffer) => (unseen += bytes.toString()));
  return async (text) => {
    while (!unseen.includes(text)) await once(process.output, "data");
    unseen = unseen.slice(unseen.indexOf(text) + text.length);
  };
}

/** Command lines of the programs, in whatever sandbox, that sleep for `MARKED_SECONDS`. */
export function sleepers(): string[] {
  return allProcesses((pid) => readFileSync(`/proc/${pid}/cmdline`, "utf8")).filter((line) =>
    line.startsWith(`sleep\0${MARKED_SECONDS}`),
  );
}

/** Command lines, and environments of the processes that run as we do outside every sandbox. */
export function ownProcesses(): string[] {
  const own = readFileSync("/proc/self/status", "utf8")
    .match(/^NSpid:.*$/m)?.[0]
    .split(/\s+/);
  return allProcesses((pid) => {
    const depth = readFileSync(`/proc/${pid}/status`, "utf8").match(/^NSpid:.*$/m)?.[0];
    const isInside = (depth?.split(/\s+/).length ?? 0) > (own?.length ?? 0) + 1;
    const environment = isInside ? "" : readFileSync(`/proc/${pid}/environ`, "utf8");
    return `${readFileSync(`/proc/${pid}/cmdline`, "utf8")}\0${environment}`;
  });
}

function allProcesses(read: (pid: string) => string): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        return [read(pid)];
      } catch (error) {
        if (["ENOENT", "ESRCH", "EACCES"].includes((error as NodeJS.ErrnoException).code ?? ""))
          return [];
        throw error;
      }
    });
}
