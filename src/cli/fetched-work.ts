import { CattlegridError } from "../errors/error.ts";
import type { Fetched } from "../protocol/fetch.ts";
import type { Sandbox } from "../protocol/sandbox.ts";
import { type Api, sandboxPath } from "./api.ts";
import { type Caller, tell } from "./caller.ts";
import { makeOneLine } from "./output/error-text.ts";

const SHORT = 10;

/** Fetches the work of a sandbox in mode `clone` and tells what came of it. */
export async function fetchWork(
  { api, caller }: { api: Api; caller: Caller },
  sandbox: Pick<Sandbox, "id" | "name">,
  approve: readonly string[] = [],
): Promise<Fetched> {
  const body = { approve: [...approve] };
  const fetched = await api.post<Fetched>(sandboxPath(sandbox.id, "/fetch"), body);
  for (const line of describeFetched(fetched, sandbox.name)) tell(caller, line);
  return fetched;
}

/** After a session: the sandbox may have gone with it, and its work was fetched then. */
export async function fetchAfterSession(
  context: { api: Api; caller: Caller },
  sandbox: Pick<Sandbox, "id" | "name" | "clone">,
): Promise<void> {
  const { clone } = sandbox;
  if (clone === undefined) return;
  try {
    await fetchWork(context, sandbox);
  } catch (error) {
    if (!CattlegridError.is(error, "SANDBOX_NOT_FOUND")) throw error;
    const heldRef = `refs/${clone.branch.replace("/", "/held/")}`;
    const text = `cattlegrid: its work is in the branch ${clone.branch}; what is held back, under ${heldRef}.`;
    tell(context.caller, text);
  }
}

export function describeFetched(fetched: Fetched, name: string): readonly string[] {
  const { outcome, branch, heldRef = "", commit, changes, otherBranches } = fetched;
  const at = commit.slice(0, SHORT);
  const lines = [];
  if (outcome === "unchanged") lines.push(`cattlegrid: ${name} holds nothing that is not fetched.`);
  if (outcome === "fetched") {
    lines.push(`cattlegrid: the branch ${branch} is at ${at}; ${count(changes, "file")} changed.`);
    lines.push(`  See them with: git diff HEAD...${branch}`);
  }
  if (outcome === "held") lines.push(...describeHeld(fetched, { name, heldRef, at }));
  if (fetched.hasUncommitted && outcome !== "unchanged") {
    lines.push("  Its last commit holds what lay uncommitted inside.");
  }
  if (otherBranches.length > 0 && outcome !== "unchanged") {
    const names = otherBranches.map(makeOneLine).join(", ");
    lines.push(`  Not fetched, as only ${branch} is: ${names}.`);
  }
  return lines;
}

function describeHeld(
  { branch, held }: Fetched,
  { name, heldRef, at }: { name: string; heldRef: string; at: string },
): readonly string[] {
  const lines = [
    `cattlegrid: the branch ${branch} stays where it was until you have approved ${count(held.length, "path")}:`,
  ];
  for (const { path, reasons } of held) {
    lines.push(`  ${makeOneLine(path)}: ${reasons.map(makeOneLine).join("; ")}`);
  }
  lines.push(
    `  The work (${at}) waits under ${heldRef}. Read it: git diff HEAD...${heldRef} -- PATH`,
  );
  lines.push(`  Then let each through by name: cattlegrid fetch ${name} --approve PATH`);
  return lines;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
