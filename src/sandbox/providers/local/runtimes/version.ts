import { basename } from "node:path";
import { runProcess } from "../../../../platform/process.ts";

/**
 * Name and version as the runtime states them, such as `crun 1.8.1`. Without an environment: even for this it would
 * make a directory of its own in the user's XDG_RUNTIME_DIR.
 */
export async function readRuntimeVersion(program: string): Promise<string> {
  const { stdout } = await runProcess([program, "--version"], { environment: {} });
  return (
    stdout
      .split("\n", 1)[0]
      ?.replace("version ", "")
      .replace("VERSION_MISSING", "(its build states no version)")
      .trim() ?? basename(program)
  );
}
