import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { asCattlegridError } from "../src/errors/error.ts";
import { measureDocker } from "./docker.ts";
import { measureCommandLine } from "./command-line.ts";
import { measureComparison } from "./comparison.ts";
import { measureCreate } from "./create.ts";
import { measureCrowd } from "./crowd.ts";
import { measureEgress } from "./egress.ts";
import { measureExec } from "./exec.ts";
import { measureNeighbour } from "./neighbour.ts";
import { measureSoak } from "./soak.ts";
import { measureTemplate } from "./template.ts";
import { measureToolchain } from "./toolchain.ts";
import { measureTerminal } from "./terminal.ts";
import { describeMachine, missedGates, renderTable, type Figure, type Report } from "./report.ts";
import { Yard, type Bench } from "./yard.ts";

const BENCHES: Readonly<Record<string, Bench>> = {
  P1: measureCreate,
  P2: measureExec,
  P3: measureCrowd,
  P4: measureTerminal,
  P5: measureEgress,
  P6: measureComparison,
  P9: measureToolchain,
  P10: measureCommandLine,
  DOCKER: measureDocker,
  NEIGHBOUR: measureNeighbour,
  SOAK: measureSoak,
  TEMPLATE: measureTemplate,
};
/** More than half an hour: only when asked for. */
const UNASKED = Object.keys(BENCHES).filter((name) => name !== "SOAK");
const USAGE = `usage: npm run bench -- [--only P1,P3] [--runs FACTOR] [--json FILE] [--baseline]
  --only      the promises to measure; default: ${UNASKED.join(",")}; also SOAK
  --runs      how often, as a multiple of the usual number; default: 1
  --json      where the figures go besides the table; default: bench/results/latest.json
  --baseline  also writes bench/baseline.json, which is committed`;
const EXIT_MISSED = 1;
const EXIT_FAILED = 2;
const EXIT_INTERRUPTED = 130;

const interruption = new AbortController();
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(name, () => interruption.abort(new Error("interrupted")));
}

interface Wish {
  promises: readonly string[];
  effort: number;
  files: readonly string[];
}

function readArguments(): Wish {
  const { values } = parseArgs({
    options: {
      only: { type: "string" },
      runs: { type: "string", default: "1" },
      json: { type: "string", default: join(import.meta.dirname, "results/latest.json") },
      baseline: { type: "boolean", default: false },
    },
  });
  const promises = values.only?.toUpperCase().split(",") ?? UNASKED;
  const effort = Number(values.runs);
  const unknown = promises.find((promise) => !Object.hasOwn(BENCHES, promise));
  if (unknown !== undefined) throw new TypeError(`${unknown} is not measured here`);
  if (!(effort > 0)) throw new TypeError(`${values.runs} is not a number of runs`);
  const baseline = join(import.meta.dirname, "baseline.json");
  return { promises, effort, files: [values.json, ...(values.baseline ? [baseline] : [])] };
}

async function measure({ promises, effort }: Wish): Promise<Report> {
  const figures: Figure[] = [];
  const machine = describeMachine();
  await using yard = new Yard();
  for (const promise of promises) {
    const bench = BENCHES[promise];
    if (bench === undefined) continue;
    process.stderr.write(`${promise} …\n`);
    figures.push(...(await bench({ yard, effort, signal: interruption.signal })));
  }
  return { machine, date: new Date().toISOString().slice(0, 10), figures };
}

function write(file: string, report: Report): void {
  try {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, `${JSON.stringify(report, undefined, 2)}\n`);
  } catch (error) {
    // The clone may be somebody else's: the table is what counts.
    if (!["EACCES", "EROFS"].includes(String((error as NodeJS.ErrnoException).code))) throw error;
    process.stderr.write(`${file} cannot be written: the figures are only shown.\n`);
  }
}

function conclude(report: Report): number {
  console.log(`\n${renderTable(report)}`);
  const missed = missedGates(report);
  for (const { promise, what } of missed) console.log(`\n${promise} is missed: ${what}`);
  return missed.length === 0 ? 0 : EXIT_MISSED;
}

async function main(): Promise<number> {
  let wish: Wish;
  try {
    wish = readArguments();
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    console.error(`${error.message}\n${USAGE}`);
    return EXIT_FAILED;
  }
  const report = await measure(wish);
  for (const file of wish.files) write(file, report);
  return conclude(report);
}

try {
  process.exitCode = await main();
} catch (error) {
  const isInterrupted = interruption.signal.aborted;
  const { code, message, hint } = asCattlegridError(error);
  console.error(isInterrupted ? "\ninterrupted" : `${message} [${code}]\n  ${hint}`);
  if (code === "INTERNAL" && !isInterrupted) console.error(error);
  process.exitCode = isInterrupted ? EXIT_INTERRUPTED : EXIT_FAILED;
}
