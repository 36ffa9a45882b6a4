import type { SandboxSpecification } from "../provider.ts";

/** The system-wide configuration of git inside: who the user is, and that the workspace is to be trusted. */
export function gitConfiguration({ gitIdentity, workspace }: SandboxSpecification): string {
  const lines: string[] = [];
  const { name, email } = gitIdentity ?? {};
  if (name !== undefined || email !== undefined) lines.push("[user]");
  if (name !== undefined) lines.push(`\tname = ${quoted(name)}`);
  if (email !== undefined) lines.push(`\temail = ${quoted(email)}`);
  // Parts of a workspace may belong to another account outside, which git would take for a stranger's.
  if (workspace !== undefined) lines.push("[safe]", `\tdirectory = ${quoted(workspace.path)}`);
  return `${lines.join("\n")}\n`;
}

function quoted(value: string): string {
  const escaped = value
    .replaceAll("\\", "\\\\")
    .replaceAll('"', '\\"')
    .replaceAll("\n", "\\n")
    .replaceAll("\t", "\\t");
  return `"${escaped}"`;
}
