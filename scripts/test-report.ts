/** What one run of the tests came to; written by the reporter, read by `npm test`. */
export interface TestReport {
  passed: number;
  failed: number;
  skipped: readonly SkippedTest[];
  /** Failed first and passed when tried again, on a machine that others use too. Counted as passed, and named. */
  unsteady: readonly { file: string; title: string }[];
}

export interface SkippedTest {
  file: string;
  title: string;
  /** Absent: the test was switched off without saying why, which `npm test` counts as a failure. */
  reason?: string;
}

export interface NamedReport extends TestReport {
  /** Who ran it: "as root", "as an ordinary user". */
  run: string;
}

export interface TestCounts {
  passed: number;
  failed: number;
  skipped: number;
}

/** The reason in a title that ends in `[skipped: reason]`, on the test or on a group around it. */
export function readSkipReason(title: string): string | undefined {
  return /\[skipped: ([^\]]+)\]/.exec(title)?.[1];
}

/** Adds the runs up. A skip without a reason is a failure: nobody would notice it otherwise. */
export function sumReports(reports: readonly TestReport[]): TestCounts {
  const counts: TestCounts = { passed: 0, failed: 0, skipped: 0 };
  for (const { passed, failed, skipped } of reports) {
    const silent = skipped.filter(({ reason }) => reason === undefined).length;
    counts.passed += passed;
    counts.failed += failed + silent;
    counts.skipped += skipped.length - silent;
  }
  return counts;
}

/** One line per test that was skipped; the tests of one file that share a reason share a line. */
export function renderSkipped(reports: readonly NamedReport[]): string {
  const rows = reports.flatMap(({ run, skipped }) =>
    [...groupByFileAndReason(skipped).values()].map((group) => {
      const [first] = group;
      const title = first?.title.replaceAll(/ ?\[skipped: [^\]]*\]/g, "");
      const what = `${first?.file}: ${group.length === 1 ? title : `${group.length} tests`}`;
      return [run, what, first?.reason ?? "NO REASON GIVEN, counted as failed"];
    }),
  );
  if (rows.length === 0) return "Nothing was skipped.";
  return renderTable(["run", "skipped", "why"], rows);
}

/** One line per test that needed a second try: each is a fault of the test or of what it tests. */
export function renderUnsteady(reports: readonly NamedReport[]): string {
  const rows = reports.flatMap(({ run, unsteady }) =>
    unsteady.map(({ file, title }) => [run, `${file}: ${title}`]),
  );
  if (rows.length === 0) return "Nothing needed a second try.";
  return renderTable(["run", "passed only at the second try"], rows);
}

export function renderCounts({ passed, failed, skipped }: TestCounts): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}

function groupByFileAndReason(skipped: readonly SkippedTest[]): Map<string, SkippedTest[]> {
  const groups = new Map<string, SkippedTest[]>();
  for (const test of skipped) {
    const key = `${test.file}\0${test.reason}`;
    groups.set(key, [...(groups.get(key) ?? []), test]);
  }
  return groups;
}

function renderTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((name, column) =>
    Math.max(name.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd();
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n");
}
