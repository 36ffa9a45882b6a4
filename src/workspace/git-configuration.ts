/** What a git configuration file names that git obeys as much as the file itself. */
export interface GitReferences {
  hooksPaths: readonly string[];
  includes: readonly string[];
}

/** Reads only the two keys we need; a line it cannot read is skipped. */
export function readGitReferences(text: string): GitReferences {
  const hooksPaths: string[] = [];
  const includes: string[] = [];
  let section = "";
  for (const line of text.split("\n")) {
    const header = /^\s*\[\s*([A-Za-z0-9.-]+)/.exec(line);
    if (header?.[1] !== undefined) section = header[1].toLowerCase();
    const pair = /^(?:\s*\[[^\]]*\])?\s*([A-Za-z][A-Za-z0-9-]*)\s*=\s*(.*?)\s*$/.exec(line);
    if (pair?.[1] === undefined || pair[2] === undefined) continue;
    const value = unquote(pair[2]);
    const key = `${section}.${pair[1].toLowerCase()}`;
    if (key === "core.hookspath") hooksPaths.push(value);
    if (key === "include.path" || key === "includeif.path") includes.push(value);
  }
  return { hooksPaths, includes };
}

/** Paths of the submodules in a `.gitmodules` file. */
export function readSubmodulePaths(text: string): string[] {
  const found = text.matchAll(/^\s*path\s*=\s*(.*?)\s*$/gm);
  return [...found].map((match) => unquote(match[1] ?? "")).filter((path) => path !== "");
}

function unquote(value: string): string {
  const quoted = /^"((?:[^"\\]|\\.)*)"/.exec(value);
  if (quoted?.[1] !== undefined) return quoted[1].replaceAll(/\\(.)/g, "$1");
  return value.replace(/\s*[#;].*$/, "");
}
