import { spawnProcess } from "../../platform/process.ts";
import { type Caller, isReaderGone, write } from "../caller.ts";

/**
 * Writes a text to standard output, through the caller's pager when that is a terminal. The pager is the caller's own command
 * ($CATTLEGRID_PAGER, $PAGER, `less`), run by a shell as git runs it; `less` ends by itself when everything fits on the screen.
 */
export async function writePaged(
  caller: Caller,
  text: string,
  { isPaged }: { isPaged: boolean },
): Promise<void> {
  const { environment, output } = caller;
  const command = environment["CATTLEGRID_PAGER"] ?? environment["PAGER"] ?? "less";
  const isWanted = isPaged && output.isTTY && command !== "" && command !== "cat";
  if (!isWanted || !(await runPager(command, text, environment))) await write(output, text);
}

/** Resolves to false when there is no such program. SECURITY: the text goes to its standard input, never to its command line. */
async function runPager(
  command: string,
  text: string,
  environment: Caller["environment"],
): Promise<boolean> {
  const defined = Object.entries(environment).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value] as const],
  );
  const child = spawnProcess(["/bin/sh", "-c", command], {
    stdio: ["pipe", "inherit", "inherit"],
    environment: { LESS: "FRX", ...Object.fromEntries(defined) },
  });
  const ended = new Promise<number | null>((resolve) => {
    child.once("error", () => resolve(NOT_FOUND));
    child.once("close", resolve);
  });
  child.stdin?.on("error", (error: unknown) => {
    // The reader has seen enough.
    if (!isReaderGone(error)) throw error;
  });
  child.stdin?.end(text);
  const code = await ended;
  return code !== NOT_FOUND && code !== NOT_EXECUTABLE;
}

const NOT_FOUND = 127;
const NOT_EXECUTABLE = 126;
