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

/** Sections and keys that a new repository or clone has, none of which names a program or another file. */
const HARMLESS_KEYS: Readonly<Record<string, readonly string[]>> = {
  core: [
    "repositoryformatversion",
    "filemode",
    "bare",
    "logallrefupdates",
    "ignorecase",
    "precomposeunicode",
    "symlinks",
  ],
  user: ["name", "email"],
  init: ["defaultbranch"],
  remote: ["url", "fetch"],
  branch: ["remote", "merge"],
};
const SECTION_LINE = /^\[(core|user|init|(remote|branch) "[A-Za-z0-9._/-]+")\]$/;
const PAIR_LINE = /^\t([a-z]+) = ([A-Za-z0-9@ .,:/_+*-]+)$/i;
/** Well below what is read of a file at all, so that nothing can hide behind that. */
const HARMLESS_LENGTH_MAX = 16 * 1024;
/** `ext::` and its like run a program, and a name that begins with a hyphen is an option. */
const ODD_URL = /::|^-|^ /;

/**
 * Whether a configuration is one that git itself writes for a new repository or clone. Line by line and literally, so
 * that git cannot read it otherwise than we do: whatever is unusual counts as harmful.
 */
export function isHarmlessGitConfiguration(text: string): boolean {
  if (text.length > HARMLESS_LENGTH_MAX) return false;
  let section = "";
  return text.split("\n").every((line) => {
    const header = SECTION_LINE.exec(line)?.[1];
    if (header !== undefined) section = header.split(" ", 1)[0] ?? "";
    return line === "" || header !== undefined || isHarmlessPair(section, line);
  });
}

function isHarmlessPair(section: string, line: string): boolean {
  const [, key = "", value = ""] = PAIR_LINE.exec(line) ?? [];
  if (HARMLESS_KEYS[section]?.includes(key.toLowerCase()) !== true) return false;
  return key.toLowerCase() !== "url" || !ODD_URL.test(value);
}
