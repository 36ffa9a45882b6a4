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

/** A workspace over which the kernel lays no overlay is the machine's refusal, not a failure of the start. */
export function explainOverlay(error: unknown, workspace: string): unknown {
  const refused = `mount \`overlay\` to \`${workspace.slice(1)}\``;
  if (!CattlegridError.is(error, "SANDBOX_START_FAILED") || !error.message.includes(refused)) {
    return error;
  }
  return new CattlegridError(
    "FILE_SYSTEM_UNSUITABLE",
    `The kernel lays no overlay over ${workspace}: its file system cannot be the lower part of one.`,
    {
      hint: "Use --mode direct, or a workspace on ext4, xfs or btrfs that does not itself lie on an overlay.",
      cause: error,
    },
  );
}

function lastLine(text: string): string {
  const lines = text.split("\n").map((line) => line.trim());
  return lines.findLast((line) => line !== "") ?? "";
}
