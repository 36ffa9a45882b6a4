import type { Sandbox } from "../../protocol/sandbox.ts";
import { type Caller, tell } from "../caller.ts";

const SEEN_AS: Readonly<Record<string, string>> = {
  direct: "changes are made in it at once",
  readonly: "nothing in it can be changed",
  overlay: "changes wait for `cattlegrid apply`",
  clone: "changes come back as a branch",
};

/** Before a sandbox runs for the first time, in three lines: what is shared, what is blocked, how to allow. */
export function introduceSandbox(caller: Caller, sandbox: Sandbox): void {
  if (sandbox.startedAt !== undefined) return;
  for (const line of describeSandbox(sandbox)) tell(caller, `cattlegrid: ${line}`);
}

export function describeSandbox(sandbox: Sandbox): [string, string, string] {
  const { name, workspace, policy, userland } = sandbox;
  const tools = userland === "own" ? "" : " and this machine's tools";
  const rules = policy.file ?? policy.preset;
  const more = policy.allow.length === 0 ? "" : ` and ${policy.allow.join(", ")}`;
  return [
    `shared:   ${describeFolder(workspace)}${tools}; not your home, keys or environment.`,
    `blocked:  every connection but what the policy \`${rules}\`${more} allows.`,
    `to allow: cattlegrid policy allow ${name} HOST; what was refused: cattlegrid logs ${name} --egress`,
  ];
}

function describeFolder(workspace: Sandbox["workspace"]): string {
  if (workspace === null) return "no folder of yours";
  const { path, mode, files } = workspace;
  const folder = `${path} (${mode}: ${SEEN_AS[mode] ?? "see the manual"})`;
  return files === "copied" ? `a copy of ${folder}` : folder;
}
