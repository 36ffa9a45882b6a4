import type { Secret, SecretList, SecretReference } from "../../protocol/secret.ts";
import { makeOneLine } from "../output/error-text.ts";
import { renderTable } from "../output/table.ts";

export function renderSecrets(secrets: readonly Secret[]): string {
  const rows = secrets.map((secret) =>
    [secret.name, describeSource(secret), describeUse(secret) || "-", secret.changedAt].map(
      makeOneLine,
    ),
  );
  return renderTable(["NAME", "VALUE", "FOR", "CHANGED"], rows);
}

function describeSource({ reference, problem }: Secret): string {
  if (problem !== undefined) return `cannot be read (${problem.code})`;
  return reference === undefined ? "in the vault" : describeReference(reference);
}

function describeReference(reference: SecretReference): string {
  switch (reference.kind) {
    case "environment":
      return `variable ${reference.variable}`;
    case "file":
      return `file ${reference.path}`;
    case "command":
      return `command ${reference.command}`;
  }
}

/** Agents, each with its variable. */
export function describeUse({ bindings }: Pick<Secret, "bindings">): string {
  const uses = bindings.map(({ agents, variable }) => `${agents.join(" and ")} as ${variable}`);
  return uses.join(", ");
}

export function describeKey({ place, title, underEarlierKeys }: SecretList["key"]): string {
  const where = {
    keyring: `The key of the vault is in ${title}.`,
    file: `The key of the vault is in the file ${title} (0600): whoever reads all your files can open the vault.`,
    none: "Nothing was ever kept; the vault has no key yet.",
  }[place];
  if (underEarlierKeys === 0) return where;
  const what = underEarlierKeys === 1 ? "1 value is" : `${underEarlierKeys} values are`;
  return `${where} ${what} still sealed with an earlier one: \`cattlegrid secret rotate\`.`;
}
