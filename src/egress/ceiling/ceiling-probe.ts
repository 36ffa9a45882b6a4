import type { Probe } from "../../sandbox/provider.ts";
import type { Ceilings } from "./ceilings.ts";

/** What `doctor` says of administrators' policies; nothing of a file that is not there and need not be. */
export function probeCeilings(ceilings: Ceilings): readonly Probe[] {
  return ceilings.look().flatMap(({ path, file, problem }): readonly Probe[] => {
    const name = "organisation policy";
    if (problem === undefined) {
      return file === undefined ? [] : [{ name, status: "ok", detail: `${path} is in force` }];
    }
    const inForce =
      file === undefined ? "nothing may leave a sandbox" : "what it said before is in force";
    return [
      {
        name,
        status: file === undefined ? "missing" : "degraded",
        detail: `${problem.message.replace(/\.?$/, ".")} Nothing starts until it can be read, and where something runs ${inForce}.`,
        remedy: `$EDITOR ${path}`,
      },
    ];
  });
}
