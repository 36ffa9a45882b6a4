import type { TemplateLayer } from "../../protocol/template-layer.ts";
import { makeOneLine } from "../output/error-text.ts";
import { renderTable } from "../output/table.ts";

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];
const AGES: readonly [number, string][] = [
  [86_400_000, "d"],
  [3_600_000, "h"],
  [60_000, "m"],
  [1000, "s"],
];

export function renderLayers(layers: readonly TemplateLayer[], nowMs: number): string {
  const rows = layers.map(({ layer, provider, template = "-", bytes, builtAt, steps }) => [
    layer,
    provider,
    makeOneLine(template),
    describeBytes(bytes),
    describeAge(builtAt, nowMs),
    makeOneLine(steps.join(", ")),
  ]);
  return renderTable(["LAYER", "PROVIDER", "TEMPLATE", "SIZE", "BUILT", "STEPS"], rows);
}

/** How many layers and bases, and what they take together: `2 layers, 1 base (310 MiB)`. Pure. */
export function describeTotal(layers: readonly Pick<TemplateLayer, "layer" | "bytes">[]): string {
  const bases = layers.filter(({ layer }) => isBase(layer)).length;
  const counts = [count(layers.length - bases, "layer"), count(bases, "base")];
  const bytes = layers.reduce((sum, layer) => sum + layer.bytes, 0);
  const shown = counts.filter((text) => !text.startsWith("0 ")).join(", ");
  return `${shown} (${describeBytes(bytes)})`;
}

/** A root file system of templates is named so by the engine. */
export function isBase(layer: string): boolean {
  return layer.startsWith("base/");
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

/** What was built for a template takes, and how long ago the newest of it was. Pure. */
export function describeBuilt(
  template: string,
  layers: readonly TemplateLayer[],
  nowMs: number,
): readonly [size: string, age: string] {
  const own = layers.filter((layer) => layer.template === template);
  if (own.length === 0) return ["-", "-"];
  const bytes = own.reduce((sum, layer) => sum + layer.bytes, 0);
  const newest = own.map(({ builtAt = "" }) => builtAt).reduce((a, b) => (a > b ? a : b));
  return [describeBytes(bytes), describeAge(newest, nowMs)];
}

export function describeBytes(bytes: number): string {
  const power = bytes < 1 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log2(bytes) / 10));
  const amount = bytes / 1024 ** power;
  return `${power === 0 || amount >= 100 ? Math.round(amount) : amount.toFixed(1)} ${UNITS[power]}`;
}

function describeAge(at = "", nowMs: number): string {
  if (at === "") return "-";
  const ageMs = Math.max(0, nowMs - Date.parse(at));
  const [unitMs, unit] = AGES.find(([each]) => ageMs >= each) ?? [1000, "s"];
  return `${Math.floor(ageMs / unitMs)}${unit} ago`;
}
