import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { hasErrno } from "../../platform/native/libc.ts";

/**
 * What marks everything that belongs to one state directory, on an engine that others use too. Drawn by the first use and
 * kept there, so that it is nobody else's, whatever path the directory has.
 */
export function readInstallation(file: string): string {
  try {
    const drawn = randomBytes(8).toString("hex");
    writeFileSync(file, `${drawn}\n`, { flag: "wx", mode: 0o600 });
    return drawn;
  } catch (error) {
    if (!hasErrno(error, "EEXIST")) throw error;
  }
  return readFileSync(file, "utf8").trim();
}
