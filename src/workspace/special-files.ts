import { runForBytes } from "../platform/process.ts";

/** So many mounts are more than any project has reason for. */
const SPECIAL_FILES_MAX = 1024;

/**
 * Paths, relative to the workspace, of sockets, pipes and devices that lie in it, on its own file system. At most
 * 1024 are given; a workspace with more has `isComplete` false.
 */
export async function findSpecialFiles(
  workspace: string,
  signal: AbortSignal,
): Promise<{ paths: readonly string[]; isComplete: boolean }> {
  const kinds = ["-type", "s", "-o", "-type", "p", "-o", "-type", "b", "-o", "-type", "c"];
  const search = ["find", ".", "-xdev", "(", ...kinds, ")", "-print0"];
  // What cannot be read is passed over: inside it cannot be read either.
  const { stdout } = await runForBytes(search, { cwd: workspace, signal });
  const found = stdout.toString("utf8").split("\0").filter(Boolean);
  const paths = found.map((path) => path.replace(/^\.\//, ""));
  return {
    paths: paths.slice(0, SPECIAL_FILES_MAX),
    isComplete: paths.length <= SPECIAL_FILES_MAX,
  };
}
