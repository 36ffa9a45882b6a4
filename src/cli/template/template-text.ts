import type { TemplateLayer } from "../../protocol/template-layer.ts";
import type { TemplateDetail, TemplateSummary } from "../../protocol/template-list.ts";
import { makeOneLine, makePrintable } from "../output/error-text.ts";
import { renderTable } from "../output/table.ts";
import { describeBuilt } from "./layer-text.ts";

export function renderTemplates(
  templates: readonly TemplateSummary[],
  layers: readonly TemplateLayer[],
  width?: number,
): string {
  const now = Date.now();
  const rows = templates.map((template) => [
    template.name,
    template.origin,
    template.agent ?? "-",
    describeState(template),
    ...describeBuilt(template.name, template.coveredBy === undefined ? layers : [], now),
    template.title,
  ]);
  return renderTable(
    ["TEMPLATE", "ORIGIN", "AGENT", "STATE", "LAYERS", "BUILT", "TITLE"],
    rows,
    width,
  );
}

function describeState({ coveredBy, problem, approved }: TemplateSummary): string {
  if (coveredBy !== undefined) return `covered by the ${coveredBy}'s`;
  if (problem !== undefined) return "broken";
  return approved === false ? "not approved" : "ready";
}

/** As it is written, with its parents after it. */
export function renderTemplate({ summary, files }: TemplateDetail): string {
  const questions = summary.parameters.map(
    ({ name, type, title, choices = [], default: value, mutable }) =>
      `#   ${makeOneLine(name)} (${type}${mutable ? ", mutable" : ""}): ${makeOneLine(title)}` +
      (choices.length === 0
        ? ""
        : ` ${makeOneLine(choices.map((each) => each.value).join(" | "))}`) +
      (value === undefined ? "" : `; default ${makeOneLine(JSON.stringify(value))}`),
  );
  const head = [
    `# ${makeOneLine(summary.name)}: ${makeOneLine(summary.title)}`,
    ...(questions.length === 0 ? [] : ["# It asks for", ...questions]),
  ];
  const texts = files.map(
    ({ path, text }) => `\n# ${makeOneLine(path)}\n${makePrintable(text).trimEnd()}\n`,
  );
  return `${head.join("\n")}\n${texts.join("")}`;
}
