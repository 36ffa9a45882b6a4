import type { Sandbox } from "../protocol/sandbox.ts";
import { type Caller, tell } from "./caller.ts";

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

export function describeSandbox({ name, workspace, policy }: Sandbox): [string, string, string] {
  const folder =
    workspace === null
      ? "no folder of yours"
      : `${workspace.path} (${workspace.mode}: ${SEEN_AS[workspace.mode] ?? "see the manual"})`;
  const rules = policy.file ?? policy.preset;
  const more = policy.allow.length === 0 ? "" : ` and ${policy.allow.join(", ")}`;
  return [
    `shared:   ${folder} and this machine's tools; not your home, keys or environment.`,
    `blocked:  every connection but what the policy \`${rules}\`${more} allows.`,
    `to allow: cattlegrid policy allow ${name} HOST; what was refused: cattlegrid logs ${name} --egress`,
  ];
}
