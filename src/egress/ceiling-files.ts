import { readFileSync } from "node:fs";
import { CattlegridError } from "../errors/error.ts";
import type { CeilingFile } from "./compile-policy.ts";

/** Where an administrator's policy for every sandbox of this machine lies. */
export interface CeilingPlace {
  path: string;
  /** Somebody named it, so that its absence is an error; otherwise a file that is not there limits nothing. */
  isRequired: boolean;
}

/** Read anew for every policy that is made. Throws POLICY_UNKNOWN: what cannot be read may not be passed over. */
export function readCeilingFiles(places: readonly CeilingPlace[]): readonly CeilingFile[] {
  return places.flatMap(({ path, isRequired }) => {
    try {
      return [{ layer: "organisation" as const, path, text: readFileSync(path, "utf8") }];
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code === "ENOENT" && !isRequired) return [];
      const why = code === "ENOENT" ? "does not exist" : `cannot be read: ${message}`;
      throw new CattlegridError("POLICY_UNKNOWN", `The organisation's policy ${path} ${why}.`, {
        hint: "Nothing may leave a sandbox until it can be read; ask whoever manages this machine.",
      });
    }
  });
}
