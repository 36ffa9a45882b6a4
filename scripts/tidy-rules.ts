import { basename, dirname } from "node:path/posix";
import { isTest, lineAt } from "./source-files.ts";

export interface Finding {
  rule: string;
  path: string;
  line: number;
  message: string;
}

export interface SourceText {
  path: string;
  text: string;
}

interface PatternRule {
  name: string;
  pattern: RegExp;
  message: string;
  appliesTo(path: string): boolean;
  /** Default false: a match on a line that is only a comment does not count. */
  countsInComments?: boolean;
}

const PLUGIN = /^src\/(sandbox\/providers|agent\/agents)\//;
const NAME_FORMAT = /^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z]+)+$/;
const NAMELESS = /^(utils?|helpers?|types|common|misc)\.ts$/;

function isProduct(path: string): boolean {
  return path.startsWith("src/") && path.endsWith(".ts") && !isTest(path);
}

function isProductOutside(...folders: readonly string[]): (path: string) => boolean {
  return (path) => isProduct(path) && !folders.some((folder) => path.startsWith(`src/${folder}/`));
}

const PATTERN_RULES: readonly PatternRule[] = [
  {
    name: "core-names-no-vendor",
    pattern:
      /\b(kiro|claude|codex|gemini|opencode|copilot|qwen|docker|podman|daytona|coder|kubernetes)\b/gi,
    message: "only a plugin's own folder, and the daemon that composes plugins, name a vendor",
    appliesTo: (path) => isProductOutside("daemon", "testing")(path) && !PLUGIN.test(path),
    countsInComments: true,
  },
  {
    name: "environment-is-passed-in",
    pattern: /\bprocess\.env\b/g,
    message: "read the environment in platform, cli or daemon, and pass on what is needed",
    appliesTo: isProductOutside("platform", "cli", "daemon", "testing"),
  },
  {
    name: "errors-have-codes",
    pattern: /\bnew (Type|Range|Syntax|Aggregate)?Error\(/g,
    message: "throw a CattlegridError with a code, or use assert()",
    appliesTo: isProductOutside("errors", "testing"),
  },
  {
    name: "catch-does-something",
    pattern: /\bcatch\s*(\([^)]*\))?\s*\{(\s|\/\/[^\n]*\n|\/\*[^]*?\*\/)*\}/g,
    message: "name the error this expects and rethrow the rest",
    appliesTo: isProduct,
  },
  {
    name: "catch-does-something",
    pattern: /\.catch\(\s*\(\w*\)\s*=>\s*(\{\s*\}|undefined|null|void 0)\s*\)/g,
    message: "name the rejection this expects and rethrow the rest",
    appliesTo: isProduct,
  },
  {
    name: "no-module-state",
    pattern: /^(export )?let\b/gm,
    message: "state belongs to an object that somebody owns and disposes",
    appliesTo: isProduct,
  },
  {
    name: "names-say-the-noun",
    pattern: /\b(class|interface|type)\s+\w*(Manager|Service|Helper|Utils?)\b/g,
    message: "name the thing itself",
    appliesTo: isProduct,
  },
  {
    name: "routes-are-declared",
    pattern: /\bapp\s*\.(get|post|put|delete|patch|head|all|route)\s*[<(]/g,
    message: "declare the route in src/protocol/routes and add it with serve()",
    appliesTo: (path) => isProduct(path) && path !== "src/server/serve.ts",
  },
  {
    name: "nothing-left-to-do",
    // Written in two parts so that this file does not report itself.
    pattern: new RegExp(`\\b(TO${"DO"}|FIX${"ME"}|XX${"X"})\\b`, "g"),
    message: "finish it, or open an issue and leave no mark in the code",
    appliesTo: (path) => !path.endsWith(".md"),
    countsInComments: true,
  },
];

/** Applies every rule to the texts. `paths` holds every file and folder that a link may point to. */
export function findUntidy(sources: readonly SourceText[], paths: ReadonlySet<string>): Finding[] {
  return [
    ...sources.flatMap((source) => PATTERN_RULES.flatMap((rule) => applyPattern(rule, source))),
    ...sources.flatMap((source) => checkFileName(source.path)),
    ...sources.flatMap((source) => checkLinks(source, paths)),
    ...checkPluginPages(sources, paths),
  ];
}

/** The places that bear on isolation, a shell or a secret, for a reviewer to read in one go. */
export function listSecurityNotes(sources: readonly SourceText[]): string[] {
  return sources.flatMap(({ path, text }) =>
    text.split("\n").flatMap((line, index) => {
      const note = /^\s*(?:\/\/|#|\*|\/\*\*)\s*SECURITY:\s*(.*)$/.exec(line)?.[1];
      return note === undefined ? [] : [`${path}:${index + 1}  ${note}`];
    }),
  );
}

function applyPattern(rule: PatternRule, { path, text }: SourceText): Finding[] {
  if (!rule.appliesTo(path)) return [];
  const lines = text.split("\n");
  return [...text.matchAll(rule.pattern)].flatMap((match) => {
    const line = lineAt(text, match.index);
    const isComment = /^\s*(\/\/|\*|\/\*)/.test(lines[line - 1] ?? "");
    if (isComment && rule.countsInComments !== true) return [];
    return [{ rule: rule.name, path, line, message: `${match[0].trim()}: ${rule.message}` }];
  });
}

function checkFileName(path: string): Finding[] {
  if (!path.startsWith("src/")) return [];
  const name = basename(path);
  if (NAME_FORMAT.test(name) && !NAMELESS.test(name)) return [];
  return [
    { rule: "file-names", path, line: 1, message: "name the file for its noun, in kebab-case" },
  ];
}

function checkLinks({ path, text }: SourceText, paths: ReadonlySet<string>): Finding[] {
  if (!path.endsWith(".md")) return [];
  // Code blocks show commands, whose brackets are no links; blanking keeps the line numbers.
  const prose = text.replaceAll(/```[^]*?```|`[^`\n]*`/g, (code) => code.replaceAll(/[^\n]/g, " "));
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)].flatMap((match) => {
    const target = decodeURI(match[1] ?? "").replace(/#.*$/, "");
    if (target === "" || /^[a-z]+:/.test(target)) return [];
    const resolved = normalise(`${dirname(path)}/${target}`);
    if (paths.has(resolved)) return [];
    const line = lineAt(text, match.index);
    return [{ rule: "links-resolve", path, line, message: `no such file: ${target}` }];
  });
}

function normalise(path: string): string {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "." && part !== "") parts.push(part);
  }
  return parts.join("/");
}

function checkPluginPages(sources: readonly SourceText[], paths: ReadonlySet<string>): Finding[] {
  const plugins = new Map<string, string>();
  for (const { path } of sources) {
    const match = /^src\/(?:sandbox\/(providers)|agent\/(agents))\/([^/]+)\//.exec(path);
    if (match === null || isTest(path)) continue;
    plugins.set(`docs/${match[1] ?? match[2]}/${match[3]}.md`, path);
  }
  const missing = [...plugins].filter(([page]) => !paths.has(page));
  return missing.map(([page, path]) => ({
    rule: "plugins-have-a-page",
    path,
    line: 1,
    message: `write ${page}: set-up, capabilities, limits`,
  }));
}
