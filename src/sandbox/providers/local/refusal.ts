import { asCattlegridError, CattlegridError } from "../../../errors/error.ts";

/** The kernel settings that forbid an ordinary user to make namespaces. */
export interface NamespaceSwitches {
  apparmorRestricts: boolean;
  cloneForbidden: boolean;
  noneAllowed: boolean;
}

/** The command that lets an ordinary user make namespaces, when a setting is what forbids it. */
export function namespaceRemedy(switches: NamespaceSwitches): string | undefined {
  if (switches.noneAllowed) return "sudo sysctl -w user.max_user_namespaces=15000";
  if (switches.cloneForbidden) return "sudo sysctl -w kernel.unprivileged_userns_clone=1";
  if (switches.apparmorRestricts) {
    return "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0";
  }
  return undefined;
}

/** Says why the keeper could not be made: a missing part keeps its own code, all else is the machine. */
export function explainRefusal(
  error: unknown,
  keeperErrors: string,
  switches: NamespaceSwitches,
): CattlegridError {
  if (CattlegridError.is(error, "DEPENDENCY_MISSING")) return error;
  const remedy = namespaceRemedy(switches);
  const why = lastLine(keeperErrors) || asCattlegridError(error).message;
  return new CattlegridError(
    "ISOLATION_UNAVAILABLE",
    `This machine does not let Cattlegrid make an isolated process: ${why}`,
    {
      hint:
        remedy === undefined
          ? "Inside a container, run Cattlegrid on the host instead, or give the container the right to make namespaces (docker run --privileged)."
          : `Allow it: \`${remedy}\`.`,
      cause: error,
    },
  );
}

function lastLine(text: string): string {
  const lines = text.split("\n").map((line) => line.trim());
  return lines.findLast((line) => line !== "") ?? "";
}
