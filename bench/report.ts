import { cpus, release, totalmem } from "node:os";

/** One promise's figure, with the floor it was measured against in the same run. */
export interface Figure {
  promise: string;
  what: string;
  value: number;
  unit: string;
  /** The number the project lives by, as text; absent for a figure that is only reported. */
  target?: string;
  /** Undefined when the figure has no target. */
  met?: boolean;
}

export interface Report {
  machine: { processors: string; memoryGiB: number; kernel: string; node: string; user: string };
  date: string;
  figures: Figure[];
}

export function describeMachine(): Report["machine"] {
  const processors = cpus();
  return {
    processors: `${processors.length} × ${processors[0]?.model ?? "unknown"}`,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    user: process.getuid?.() === 0 ? "root" : "ordinary user",
  };
}

function formatValue(value: number): string {
  if (!Number.isFinite(value)) return "–";
  return value >= 100 ? value.toFixed(0) : value.toFixed(value >= 10 ? 1 : 2);
}

export function renderTable(report: Report): string {
  const rows = report.figures.map((figure) => [
    figure.promise,
    figure.what,
    `${formatValue(figure.value)} ${figure.unit}`,
    figure.target ?? "",
    figure.met === undefined ? "" : figure.met ? "met" : "MISSED",
  ]);
  const header = ["promise", "what", "figure", "target", ""];
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd();
  const { machine } = report;
  return [
    `${machine.processors}, ${machine.memoryGiB} GiB, kernel ${machine.kernel}, Node ${machine.node}, ${machine.user}`,
    "",
    line(header),
    line(widths.map((width) => "-".repeat(width))),
    ...rows.map(line),
  ].join("\n");
}
