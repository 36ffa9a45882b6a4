import type { ProcessEnding, SandboxProcess } from "../../sandbox/process.ts";
import { ignoreClosedInput } from "../command.ts";
import { OrderedOutput } from "./ordered-output.ts";

/** How long an interrupted agent may take to put its conversation away. */
const INTERRUPT_GRACE_MS = 5_000;

export type StopCause = "cancelled" | "timed-out";

/** One process that runs a turn. */
export interface TurnProcess {
  readonly output: OrderedOutput;
  readonly ended: Promise<ProcessEnding>;
  /** Why it was made to stop, if it was. */
  readonly stopped: StopCause | undefined;
  /** Interrupts it, and kills it when that does not help. Idempotent. */
  cancel(): void;
  /** Kills whatever is left of its process group. Idempotent. */
  close(): Promise<void>;
}

export function followTurn(process: SandboxProcess, timeoutMs: number): TurnProcess {
  let stopped: StopCause | undefined;
  let grace: NodeJS.Timeout | undefined;
  const kill = (): void => void process.kill();
  const deadline = setTimeout(() => {
    stopped ??= "timed-out";
    kill();
  }, timeoutMs);
  process.input.on("error", ignoreClosedInput);
  const output = new OrderedOutput(process);
  return {
    output,
    ended: process.ended,
    get stopped() {
      return stopped;
    },
    cancel() {
      if (stopped !== undefined) return;
      stopped = "cancelled";
      void process.signal("SIGINT");
      grace = setTimeout(kill, INTERRUPT_GRACE_MS);
    },
    async close() {
      clearTimeout(deadline);
      clearTimeout(grace);
      // Its reader may have left in the middle.
      output.discard();
      await process.kill();
    },
  };
}
