import { Transform } from "node:stream";
import type { TerminalEnding } from "../protocol/process.ts";
import type { ProcessRequest, SandboxProcess } from "../sandbox/process.ts";
import type { SessionContext } from "./context.ts";

export interface TerminalRun {
  purpose: "login" | "agent";
  request: ProcessRequest;
  timeoutMs?: number;
  /** Sees the bytes on their way to the terminal. */
  onOutput?(bytes: Buffer): void;
}

/** Runs a program in a terminal that viewers can attach to, tells its start and end, and leaves nothing of it. */
export async function runInTerminal(
  context: SessionContext,
  run: TerminalRun,
): Promise<TerminalEnding> {
  const { running, signal, report, owner } = context;
  const { purpose, request, timeoutMs, onOutput } = run;
  const size = request.terminal;
  const started = await running.exec(request, signal);
  const terminal = await context.terminals.open({
    owner,
    sandboxId: running.id,
    process: onOutput === undefined ? started : tap(started, onOutput),
    ...(size === undefined ? {} : { size }),
    // SECURITY: a sign-in shows codes; it is nobody's business later.
    ...(purpose === "agent" && context.request.record === true
      ? { record: context.agent.title }
      : {}),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  });
  const kill = (): void => void terminal.kill();
  signal.addEventListener("abort", kill, { once: true });
  if (signal.aborted) kill();
  try {
    report({ type: "terminal-start", terminalId: terminal.id, purpose });
    const ending = await terminal.ended;
    report({ type: "terminal-end", terminalId: terminal.id, purpose, ending });
    return ending;
  } finally {
    signal.removeEventListener("abort", kill);
    await started.kill();
  }
}

/** The same process, its output seen in passing; how fast it flows is still up to whoever reads it. */
function tap(process: SandboxProcess, onOutput: (bytes: Buffer) => void): SandboxProcess {
  const output = new Transform({
    transform(bytes: Buffer, _encoding, done) {
      onOutput(bytes);
      done(null, bytes);
    },
  });
  process.output.once("error", (error) => output.destroy(error));
  process.output.pipe(output);
  return {
    output,
    errors: process.errors,
    input: process.input,
    ended: process.ended,
    resize: (size) => process.resize(size),
    signal: (name) => process.signal(name),
    kill: () => process.kill(),
  };
}
