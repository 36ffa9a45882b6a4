/** The branch that holds what came of the sandbox `name`; what a name may hold and a branch may not becomes a hyphen. */
export function branchName(name: string): string {
  return `cattlegrid/${name.replaceAll(/\.(?=\.|$)/g, "-").replace(/\.lock$/, "-lock")}`;
}
