import { existsSync } from "node:fs";
import { CattlegridError } from "../../src/errors/error.ts";
import { inspectMachine } from "../../src/sandbox/providers/local/machine.ts";
import { requireRange } from "../../src/sandbox/providers/local/subordinate-ids.ts";
import { requirement } from "./requirement.ts";

/** Where scripts/build-runtimes.sh puts one. */
const BUILT = "/var/cache/cattlegrid/runc";

/** The runc that tests run: the one that the environment names, else one that was built for them. */
export const RUNC_PROGRAM = process.env["CATTLEGRID_RUNC"] ?? BUILT;

export const RUNC = requirement("a current runc", () => {
  if (!existsSync(RUNC_PROGRAM)) {
    return "no runc in CATTLEGRID_RUNC, and none built (scripts/build-runtimes.sh)";
  }
  try {
    requireRange(inspectMachine(), "runc");
    return undefined;
  } catch (error) {
    if (CattlegridError.is(error)) return error.message;
    throw error;
  }
});
