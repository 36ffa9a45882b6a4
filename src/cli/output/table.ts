import { makeOneLine } from "./error-text.ts";

/**
 * Columns as wide as their widest cell, two spaces between; the last one is not filled up. On a screen of `width` columns
 * that this does not fit, each row is a paragraph instead, without cells that hold nothing (`-`). Default: it fits.
 */
export function renderTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  width = Number.POSITIVE_INFINITY,
): string {
  const table = renderColumns(head, rows);
  const isWide = table.split("\n").some((line) => measureText(line) > width);
  return isWide ? renderParagraphs(head, rows) : table;
}

function renderParagraphs(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const [, ...names] = head.map((name) => name.toLowerCase());
  const widest = Math.max(...names.map(measureText));
  const paragraphs = rows.map(([first = "", ...cells]) => {
    const lines = cells.flatMap((cell, index) =>
      cell === "-" ? [] : [`  ${(names[index] ?? "").padEnd(widest)}  ${makeOneLine(cell)}`],
    );
    return [makeOneLine(first), ...lines].join("\n");
  });
  return `${paragraphs.join("\n")}\n`;
}

function renderColumns(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, ...rows].map((cells) => cells.map(makeOneLine));
  const widths = head.map((_, column) =>
    Math.max(...lines.map((cells) => measureText(cells[column] ?? ""))),
  );
  const render = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => cell + " ".repeat((widths[column] ?? 0) - measureText(cell)))
      .join("  ")
      .trimEnd();
  return `${lines.map(render).join("\n")}\n`;
}

/** Columns on a screen: good enough for names and paths. */
function measureText(text: string): number {
  return Array.from(text).length;
}
