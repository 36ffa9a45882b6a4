import { CattlegridError } from "../../errors/error.ts";
import { decodeName } from "../confined-directory.ts";

const NAME_BYTES_MAX = 255;
const PATH_BYTES_MAX = 4096;
/** Each level holds a descriptor while it is copied. */
export const DEPTH_MAX = 200;

/**
 * The names from the root of a copy down to an entry; empty for the root itself. SECURITY: pure, and refuses whatever
 * could mean a place outside: an absolute name, `..`, a NUL. Throws COPY_REFUSED.
 */
export function splitEntryName(name: string): readonly string[] {
  const refuse = (why: string): never => {
    const shown = JSON.stringify(decodeName(name.slice(0, 200)));
    throw new CattlegridError("COPY_REFUSED", `The entry ${shown} is refused: ${why}.`);
  };
  if (name.startsWith("/")) refuse("its name is absolute");
  if (name.includes("\0")) refuse("its name holds a NUL");
  const names = name.split("/").filter((part) => part !== "" && part !== ".");
  if (names.includes("..")) refuse("its name leads upwards");
  if (name.length > PATH_BYTES_MAX) refuse("its name is too long");
  if (names.some((part) => part.length > NAME_BYTES_MAX)) refuse("its name is too long");
  if (names.length > DEPTH_MAX) refuse(`it lies more than ${DEPTH_MAX} directories deep`);
  return names;
}

/**
 * Whether a link at `names` below the root of a copy stays inside it, whatever other links it leads through. Only the
 * beginning of its target may lead upwards: there it passes directories that the copy itself made. Further on `..`
 * would leave from wherever another link had led.
 */
export function staysInside(names: readonly string[], target: string): boolean {
  if (target === "" || target.startsWith("/") || target.includes("\0")) return false;
  const parts = target.split("/").filter((part) => part !== "" && part !== ".");
  const down = parts.findIndex((part) => part !== "..");
  const ups = down === -1 ? parts.length : down;
  return ups <= names.length - 1 && !parts.slice(ups).includes("..");
}
