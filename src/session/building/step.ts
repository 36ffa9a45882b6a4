import { posix } from "node:path";
import { CattlegridError } from "../../errors/error.ts";

/** One thing that a build does in a sandbox, on top of what the steps before it made. */
export interface BuildStep {
  /** For people. */
  name: string;
  /** SECURITY: no text of a parameter is ever part of a script; values are arguments and variables. */
  argv: readonly string[];
  environment: Readonly<Record<string, string>>;
  /** As root inside. */
  root: boolean;
  timeoutMs: number;
  /** Digests of the files that it depends on besides, by path. */
  inputs: Readonly<Record<string, string>>;
  /** What a failure means, where that is known better than "it failed". */
  explain?(failure: StepFailure): CattlegridError | undefined;
}

export interface StepFailure {
  exitCode: number;
  /** The end of what it wrote. */
  output: string;
}

/** Throws TEMPLATE_INVALID unless the path lies below the home directory. */
export function checkHomePath(path: string): string {
  const normal = posix.normalize(path).replace(/\/$/, "");
  const isBelow = !posix.isAbsolute(normal) && normal !== "." && normal.split("/")[0] !== "..";
  if (isBelow && !/[\0\n]/.test(normal)) return normal;
  throw new CattlegridError("TEMPLATE_INVALID", `${path} is no path below the home directory.`, {
    hint: "Write it relative to the home directory, such as work/tools.",
  });
}
