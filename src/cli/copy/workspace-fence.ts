import { CattlegridError } from "../../errors/error.ts";
import { ConfinedDirectory, decodeName, encodeName } from "../../platform/confined-directory.ts";
import { isWithin } from "../../platform/paths.ts";

/** As many as the kernel follows. */
const LINKS_MAX = 40;

/**
 * Holds the directory that an absolute path names, or undefined when there is none. Links are followed, since they are
 * the user's own. SECURITY: but none that lies in the sandbox's workspace, where the agent can make one at any time,
 * while this looks too: each step is made from a held directory, and where that lies is asked of the kernel.
 * Throws COPY_REFUSED.
 */
export function openFenced(
  path: string,
  workspace: string | undefined,
): ConfinedDirectory | undefined {
  const walk: Walk = { current: ConfinedDirectory.openRoot(), rest: split(encodeName(path)) };
  let isThere = false;
  try {
    for (let links = 0; walk.rest.length > 0 && links <= LINKS_MAX;) {
      const step = takeStep(walk, workspace);
      if (step === "missing") return undefined;
      if (step === "link") links++;
    }
    isThere = walk.rest.length === 0;
    return isThere ? walk.current : undefined;
  } finally {
    if (!isThere) walk.current[Symbol.dispose]();
  }
}

interface Walk {
  current: ConfinedDirectory;
  rest: string[];
}

function takeStep(walk: Walk, workspace: string | undefined): "entered" | "link" | "missing" {
  const { current } = walk;
  const name = walk.rest.shift() ?? ".";
  const found = current.look(name);
  if (found?.isSymbolicLink() === true) {
    refuseAgentsLink(current.path, name, workspace);
    const target = current.readLink(name);
    walk.rest.unshift(...split(target));
    if (target.startsWith("/")) goTo(walk, ConfinedDirectory.openRoot());
    return "link";
  }
  if (found?.isDirectory() !== true) return "missing";
  goTo(walk, current.enter(name));
  return "entered";
}

function goTo(walk: Walk, next: ConfinedDirectory): void {
  walk.current[Symbol.dispose]();
  walk.current = next;
}

function split(path: string): string[] {
  return path.split("/").filter((name) => name !== "" && name !== ".");
}

function refuseAgentsLink(directory: string, name: string, workspace: string | undefined): void {
  if (workspace === undefined || !isWithin(directory, workspace)) return;
  const path = `${directory}/${decodeName(name)}`;
  throw new CattlegridError("COPY_REFUSED", `${path} is a link in the sandbox's workspace.`, {
    hint: "Look where it leads; if you mean that place, name it itself.",
  });
}
