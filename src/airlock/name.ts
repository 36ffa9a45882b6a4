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
  const visible = name.normalize("NFKC").replaceAll(/\p{Default_Ignorable_Code_Point}/gu, "");
  const folded = visible.toLowerCase().replace(/[. ]+$/, "");
  return folded === "git~1" ? ".git" : folded;
}

/** Why the names of a path are reason to hold it back: programs of the host obey them. */
export function findNameHolds(components: readonly string[]): readonly Hold[] {
  const folded = components.map(foldName);
  const found = NAME_PATTERNS.filter(({ components: pattern }) => isNamed(folded, pattern));
  const first = found[0];
  return first === undefined ? [] : [first.hold];
}

/** Why the look of a name is reason to hold it back; it may deceive whoever reads it. */
export function findDeception(components: readonly string[]): readonly Hold[] {
  const hold = (reason: string): Hold[] => [{ class: "name", reason }];
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

function isNamed(components: readonly string[], pattern: readonly RegExp[]): boolean {
  return components.some((_, start) =>
    pattern.every((wanted, offset) => wanted.test(components[start + offset] ?? "\0")),
  );
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
