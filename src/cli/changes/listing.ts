import type { ChangeList } from "../../protocol/changes.ts";
import { type Api, sandboxPath } from "../api.ts";
import type { Caller } from "../caller.ts";
import { createPaint, type Paint } from "./diff-text.ts";

export async function fetchChanges(
  api: Api,
  name: string,
  options: { hunks: boolean; paths?: readonly string[] },
): Promise<ChangeList> {
  const query = new URLSearchParams({ hunks: options.hunks ? "1" : "0" });
  for (const path of options.paths ?? []) query.append("path", path);
  return api.get<ChangeList>(sandboxPath(name, `/changes?${query.toString()}`));
}

/** Colour where a person looks, unless NO_COLOR says otherwise (https://no-color.org). */
export function paintFor({ environment }: Caller, stream: { isTTY: boolean }): Paint {
  return createPaint(stream.isTTY && !environment["NO_COLOR"] && environment["TERM"] !== "dumb");
}

/** Paths as a user gives them: `./src/` is `src`. */
export function cleanPath(path: string): string {
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  return parts.join("/");
}
