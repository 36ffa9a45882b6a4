import type { LineCounter, Node, YAMLMap } from "yaml";
import type { z } from "zod";
import { CattlegridError } from "../errors/error.ts";
import type { Configuration } from "../protocol/configuration.ts";
import { findNearest } from "../platform/nearest-name.ts";

export interface ConfigurationFile {
  values: Configuration;
  /** Where each value stands, as `path:line`. */
  places: Readonly<Record<string, string>>;
}

export type ConfigurationKind = "own" | "project";

/** An alias may stand for a large tree; more of them than anybody writes are refused. */
const ALIASES_MAX = 20;

/** `providers`, an id, a key. */
const PROVIDER_DEPTH = 3;

interface Source {
  path: string;
  lines: LineCounter;
}

/** Reads a configuration file's text. Throws CONFIG_INVALID with file, line and column. */
export async function parseConfiguration(
  text: string,
  path: string,
  kind: ConfigurationKind,
): Promise<ConfigurationFile> {
  // Both are read only where there is a file to read.
  const yaml = await import("yaml");
  const schemas = await import("../protocol/configuration.ts");
  const schema = kind === "own" ? schemas.configurationSchema : schemas.projectConfigurationSchema;
  const source = { path, lines: new yaml.LineCounter() };
  const document = yaml.parseDocument(text, { lineCounter: source.lines });
  const [error] = document.errors;
  if (error !== undefined) {
    throw wrongAt(source, error.pos[0], error.message.split("\n")[0] ?? "it is no YAML");
  }
  const { contents } = document;
  if (contents === null) return { values: {}, places: {} };
  if (!yaml.isMap(contents)) {
    throw wrongAt(source, offsetOf(contents), "the file must be a list of `name: value`");
  }
  const nodes = readNodes(contents as YAMLMap.Parsed);
  const raw = document.toJS({ maxAliasCount: ALIASES_MAX }) as Record<string, unknown>;
  const named = Object.fromEntries(
    Object.entries(raw).map(([name, value]) => [toSetting(name), value]),
  );
  const read = schema.safeParse(named, { reportInput: false });
  if (!read.success) throw explain({ source, nodes, kind }, read.error, Object.keys(schema.shape));
  const places = [...nodes].flatMap(([name, { key, value }]) => [
    [name, placeOf(source, offsetOf(key))],
    ...(name === "providers" ? placesBelow(source, value, name) : []),
  ]);
  return { values: read.data as Configuration, places: Object.fromEntries(places) as never };
}

/** `providers.ID.KEY`: each key of each provider may be another file's. */
function placesBelow(source: Source, tree: unknown, path: string): [string, string][] {
  const { items = [] } = (tree ?? {}) as { items?: readonly { key: unknown; value: unknown }[] };
  return items.flatMap(({ key, value }) => {
    const name = `${path}.${String((key as { value: unknown }).value)}`;
    const below = name.split(".").length > PROVIDER_DEPTH ? [] : placesBelow(source, value, name);
    return [[name, placeOf(source, offsetOf(key))], ...below];
  });
}

/** `idle-stop`, as the flag is called, and `idleStop` are one setting. */
function toSetting(name: string): string {
  return name.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

type Nodes = ReadonlyMap<string, { key: unknown; value: unknown }>;

function readNodes(map: YAMLMap.Parsed): Nodes {
  return new Map(
    map.items.map(({ key, value }) => [
      toSetting(String((key as unknown as { value: unknown }).value)),
      { key, value },
    ]),
  );
}

interface Explained {
  source: Source;
  nodes: Nodes;
  kind: ConfigurationKind;
}

function explain(
  { source, nodes, kind }: Explained,
  error: z.ZodError,
  known: readonly string[],
): CattlegridError {
  const [issue] = error.issues;
  if (issue?.code === "unrecognized_keys" && issue.path.length === 0) {
    const [name = ""] = issue.keys;
    return wrongAt(source, offsetOf(nodes.get(name)?.key), explainUnknown(name, kind, known));
  }
  const path = (issue?.path ?? []).map(String);
  const why = (issue?.message ?? "it is wrong").replace(/^Invalid input: /, "");
  return wrongAt(source, offsetOf(findNode(nodes, path)), `\`${path.join(".")}\`: ${why}`);
}

function findNode(nodes: Nodes, [name = "", ...below]: readonly string[]): unknown {
  const found = nodes.get(name)?.value;
  if (below.length === 0) return found;
  const tree = found as { getIn?(path: readonly string[], keep: boolean): unknown } | null;
  return tree?.getIn?.(below, true) ?? found;
}

function explainUnknown(name: string, kind: ConfigurationKind, known: readonly string[]): string {
  const nearest = findNearest(name, known);
  const guess = nearest === undefined ? "" : `; did you mean ${nearest}?`;
  if (kind === "own") {
    return `there is no setting ${JSON.stringify(name)}${guess || `; there are ${known.join(", ")}`}`;
  }
  return `a project may not say ${JSON.stringify(name)}, but only ${known.join(", ")}`;
}

function offsetOf(node: unknown): number {
  return (node as Node | null | undefined)?.range?.[0] ?? 0;
}

function placeOf({ path, lines }: Source, offset: number): string {
  return `${path}:${lines.linePos(offset).line}`;
}

function wrongAt({ path, lines }: Source, offset: number, why: string): CattlegridError {
  const { line, col } = lines.linePos(offset);
  return new CattlegridError("CONFIG_INVALID", `${path}:${line}:${col}: ${why}.`, {
    details: { path, line, column: col },
  });
}
