import { makeOneLine } from "./error-text.ts";

/** Columns as wide as their widest cell, two spaces between; the last one is not filled up. */
export function renderTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
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
