import { cpus, loadavg, release, totalmem } from "node:os";

/** One measured number. */
export interface Figure {
  promise: string;
  what: string;
  value: number;
  unit: "ms" | "s" | "×" | "MB/s" | "MiB" | "bytes" | "";
  /** The number the project lives by; absent for one that is only shown. */
  target?: { atMost: number } | { atLeast: number };
  /** Whether missing the target fails the run. Ratios within one run do, absolute figures depend on the machine. */
  gates?: boolean;
}

export interface Report {
  machine: {
    processors: string;
    memoryGiB: number;
    kernel: string;
    node: string;
    user: string;
    /** Of the minute before the first measurement: above 0.5 or so, absolute figures say little. */
    load: number;
  };
  date: string;
  figures: readonly Figure[];
}

export function describeMachine(): Report["machine"] {
  const processors = cpus();
  return {
    processors: `${processors.length} × ${processors[0]?.model ?? "unknown"}`,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    user: process.getuid?.() === 0 ? "root" : "ordinary user",
    load: Math.round((loadavg()[0] ?? 0) * 10) / 10,
  };
}

export function isMissed({ value, target }: Figure): boolean {
  if (target === undefined) return false;
  const isMet = "atMost" in target ? value <= target.atMost : value >= target.atLeast;
  return !isMet;
}

/** The ratios that were promised and did not hold: these fail a run. */
export function missedGates({ figures }: Report): readonly Figure[] {
  return figures.filter((figure) => figure.gates === true && isMissed(figure));
}

export function renderTable(report: Report): string {
  const { machine, figures } = report;
  const rows = figures.map((figure) => [
    figure.promise,
    figure.what,
    `${formatNumber(figure.value)} ${figure.unit}`,
    formatTarget(figure),
    formatVerdict(figure),
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
  return [
    `${machine.processors}, ${machine.memoryGiB} GiB, kernel ${machine.kernel}, Node ${machine.node}, ${machine.user}, load before ${machine.load}`,
    "",
    line(header),
    line(widths.map((width) => "-".repeat(width))),
    ...rows.map(line),
  ].join("\n");
}

function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return "–";
  if (Number.isInteger(value)) return String(value);
  return value >= 100 ? value.toFixed(0) : value.toFixed(value >= 10 ? 1 : 2);
}

function formatTarget({ target, unit }: Figure): string {
  if (target === undefined) return "";
  return "atMost" in target ? `≤ ${target.atMost} ${unit}` : `≥ ${target.atLeast} ${unit}`;
}

function formatVerdict(figure: Figure): string {
  if (figure.target === undefined) return "";
  if (!isMissed(figure)) return "met";
  return figure.gates === true ? "MISSED" : "missed (this machine)";
}
