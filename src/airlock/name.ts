import { PROTECTED_NAMES } from "../workspace/protected-paths.ts";
import type { Hold, HoldClass } from "./change.ts";
import heldNames from "./held-names.json" with { type: "json" };

interface NamePattern {
  components: readonly RegExp[];
  hold: Hold;
}

/** Names whose first components say what kind of program obeys them; the rest of the table says so itself. */
const PROTECTED_CLASSES: readonly (readonly [RegExp, HoldClass])[] = [
  [/^\.(husky|githooks)/, "git"],
  [/^\.?(mise|envrc)/, "shell"],
  [/^\.(npmrc|yarnrc)/, "package"],
  [/^(\.(vscode|devcontainer|idea|run|zed|exrc|nvimrc|nvim|dir-locals)|\*)/, "editor"],
];

/**
 * A name as a file system that ignores case, trailing dots and invisible characters would take it. SECURITY: such a
 * file system, or one that the tree is copied to, would take `.GIT` or `.g\u200cit` for `.git`.
 */
export function foldName(name: string): string {
  return PLAIN_NAME.test(name) ? name : foldAny(name);
}

/** By far the most names, and equal to themselves folded. */
const PLAIN_NAME = /^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/;

function foldAny(name: string): string {
  const visible = name.normalize("NFKC").replaceAll(/\p{Default_Ignorable_Code_Point}/gu, "");
  const folded = visible.toLowerCase().replace(/[. ]+$/, "");
  return folded === "git~1" ? ".git" : folded;
}

/** Why the names of a path are reason to hold it back: programs of the host obey them. */
export type FindNameHolds = (components: readonly string[]) => readonly Hold[];

/** Remembers which patterns begin with which name: large trees have many paths and few names. */
export function createNameSearch(): FindNameHolds {
  const beginnings = new Map<string, readonly NamePattern[]>();
  const beginningWith = (name: string): readonly NamePattern[] => {
    const known = beginnings.get(name);
    if (known !== undefined) return known;
    const found = BEGINNINGS.test(name)
      ? NAME_PATTERNS.filter(({ components: [first] }) => first?.test(name))
      : [];
    beginnings.set(name, found);
    return found;
  };
  return (components) => {
    const folded = components.map(foldName);
    for (const [start, name] of folded.entries()) {
      const found = beginningWith(name).find(({ components: pattern }) =>
        pattern.every((wanted, offset) => wanted.test(folded[start + offset] ?? "\0")),
      );
      if (found !== undefined) return [found.hold];
    }
    return [];
  };
}

/** Why the look of a name is reason to hold it back; it may deceive whoever reads it. */
export function findDeception(components: readonly string[]): readonly Hold[] {
  const hold = (reason: string): Hold[] => [{ class: "name", reason }];
  if (components.every((name) => PLAIN_NAME.test(name) && !name.startsWith("-"))) return [];
  const path = components.join("/");
  if (/\p{Cc}|[\u2028\u2029]/u.test(path)) return hold("its name holds control characters");
  if (/\p{Bidi_Control}/u.test(path)) return hold("its name is not shown in the order it has");
  if (/\p{Default_Ignorable_Code_Point}/u.test(path)) {
    return hold("its name holds characters that are not shown");
  }
  if (path.includes("\uFFFD")) return hold("its name is not text");
  if (components.some((name) => name.startsWith("-"))) {
    return hold("programs take its name for an option");
  }
  return [];
}

/** `*` stands for any characters within one component. */
function compile(path: string, hold: Hold): NamePattern {
  const components = path.split("/").map((component) => {
    const literal = foldName(component).replaceAll(/[\\^$+?.()|[\]{}]/g, "\\$&");
    return new RegExp(`^${literal.replaceAll("*", ".*")}$`, "s");
  });
  return { components, hold };
}

function classOf(path: string): HoldClass {
  return PROTECTED_CLASSES.find(([pattern]) => pattern.test(path))?.[1] ?? "agent";
}

const NAME_PATTERNS: readonly NamePattern[] = [
  ...PROTECTED_NAMES.map(({ path, reason }) => compile(path, { class: classOf(path), reason })),
  ...heldNames.flatMap(({ class: kind, reason, paths }) =>
    paths.map((path) => compile(path, { class: kind as HoldClass, reason })),
  ),
];

/** Whether any pattern begins with a name, in one test. */
const BEGINNINGS = new RegExp(
  [...new Set(NAME_PATTERNS.map(({ components: [first] }) => first?.source))].join("|"),
  "s",
);
