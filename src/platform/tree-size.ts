import { runProcess } from "./process.ts";

/**
 * Bytes that a directory takes on disk with all below; 0 for one that is not there. What cannot be read does not count. du(1)
 * does the work, which does not keep this process busy with many files.
 */
export async function measureTree(path: string): Promise<number> {
  const { stdout } = await runProcess(["du", "-s", "-x", "--block-size=1", "--", path]);
  return Number(/^\d+/.exec(stdout)?.[0] ?? 0);
}
