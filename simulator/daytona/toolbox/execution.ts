import type { Machine, Program } from "../machine.ts";
import { Refusal } from "../refusal.ts";
import { collect, type Collected } from "./collecting.ts";

/** How the script before the shell says that there is no such directory. */
const NO_DIRECTORY = 47;

export interface ExecuteRequest {
  command: string;
  cwd: string;
  envs: Record<string, string>;
  /** Seconds. */
  timeout: number;
}

/**
 * Gives the command to a shell as its input, with both streams in one, as the daemon does: a program that reads its
 * input reads what follows of the command. Throws 408 when it takes too long; what it wrote is then lost.
 */
export async function execute(
  machine: Machine,
  request: Partial<ExecuteRequest>,
  options: { shell: string; signal: AbortSignal },
): Promise<{ exitCode: number; result: string }> {
  const { command = "", cwd = machine.home, envs, timeout = 0 } = request;
  if (command === "") throw bad("command cannot be empty");
  if (timeout < 0) throw bad("timeout must not be negative");
  const script = `cd -- "$1" || exit ${NO_DIRECTORY}; exec "$2" 2>&1`;
  const argv = ["sh", "-c", script, "sh", cwd, options.shell];
  const program = await machine.run({ argv, environment: envs });
  program.input.on("error", () => undefined);
  program.input.end(command + "\n");
  const { output, errors, ending } = await withinLimits(program, timeout, options.signal);
  // Only what keeps the shell from starting is told apart from the command's own words.
  if (ending.code === NO_DIRECTORY && errors.length > 0) {
    return { exitCode: -1, result: errors.toString() };
  }
  return { exitCode: ending.code, result: output.toString() };
}

/** Kills the program when its time is over or its client is gone. */
async function withinLimits(
  program: Program,
  timeoutSeconds: number,
  signal: AbortSignal,
): Promise<Collected> {
  const kill = (): void => void program.kill();
  signal.addEventListener("abort", kill, { once: true });
  let isLate = false;
  const expire = (): void => {
    isLate = true;
    kill();
  };
  const timer = timeoutSeconds > 0 ? setTimeout(expire, timeoutSeconds * 1000) : undefined;
  try {
    const collected = await collect(program);
    if (!isLate) return collected;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", kill);
  }
  const code = "PROCESS_EXECUTION_TIMEOUT";
  throw new Refusal(["daemon", 408], "command execution timeout", { code });
}

function bad(message: string): Refusal {
  return new Refusal(["daemon", 400], message, { code: "BAD_REQUEST" });
}
