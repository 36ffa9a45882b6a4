import { globSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";
import type { AgentConfig } from "./agents.ts";
import type { Context } from "./context.ts";

export interface ContextFile {
  path: string;
  text: string;
}

/** What an agent is told before every conversation: its own prompt, and the files that its resources name. */
export function readContext(
  { prompt, resources }: AgentConfig,
  { directory, environment }: Context,
): ContextFile[] {
  const home = environment["HOME"] ?? homedir();
  const files = resources.flatMap((resource) => {
    const pattern = resource.replace(/^(?:file|skill):\/\//, "").replace(/^~(?=\/)/, home);
    const whole = isAbsolute(pattern) ? pattern : join(directory, pattern);
    return globSync(whole).toSorted();
  });
  const own = prompt === undefined ? [] : [{ path: "prompt", text: prompt }];
  return [
    ...own,
    ...[...new Set(files)].map((path) => ({ path, text: readFileSync(path, "utf8") })),
  ];
}
