import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { WarmPool } from "../src/protocol/warm-pool.ts";
import { CattlegridError } from "../src/errors/error.ts";
import { BenchDaemon } from "./daemon.ts";
import type { Figure } from "./report.ts";
import { medianRatio, timeInTurn, type Subject } from "./statistics.ts";
import type { BenchContext } from "./yard.ts";

const RUNS = 40;
const SETUP = `setup:
  - run: mkdir -p tools && seq 1 2000 | split -l 1 -a 4 - tools/
  - run: echo ready > state
`;

/** What a sandbox of a built template costs against one of the same agent without a template, and one that stood ready. */
export async function measureTemplate({ yard, signal, effort }: BenchContext): Promise<Figure[]> {
  const directory = yard.makeDirectory("template");
  for (const name of ["built", "pooled"]) writeTemplate(directory, name);
  await using daemon = await BenchDaemon.open(directory);
  let count = 0;
  const create =
    (template?: string): Subject =>
    async () => {
      const more = template === undefined ? {} : { template: { name: template } };
      const { id } = await daemon.start(`made-${(count += 1)}`, more);
      return () => daemon.remove(id);
    };
  const claim: Subject = async () => {
    const removed = await create("pooled")();
    return async () => {
      await removed?.();
      await keepReady(daemon, 1);
    };
  };
  await keepReady(daemon, 1);
  const subjects = { plain: create(), built: create("built"), claimed: claim };
  const rounds = { warmUp: 3, counted: Math.ceil(RUNS * effort), signal };
  const { plain, built, claimed } = await timeInTurn(subjects, rounds);
  await keepReady(daemon, 0);
  const figure = { promise: "TEMPLATE", unit: "ms" } as const;
  const ratio = { ...figure, unit: "×" } as const;
  return [
    { ...figure, what: "create and start without a template, p50", value: plain.p50 },
    { ...figure, what: "from a built template, p50", value: built.p50 },
    {
      ...ratio,
      what: "built to without",
      value: medianRatio(built, plain),
      target: { atMost: 1.2 },
      gates: true,
    },
    { ...figure, what: "with one ready in the warm pool, p50", value: claimed.p50 },
    { ...ratio, what: "warm to without", value: medianRatio(claimed, plain) },
  ];
}

function writeTemplate(directory: string, name: string): void {
  const folder = join(directory, "state/templates", name);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const text = `version: 1\ntitle: ${name}\nagent: shell\n${SETUP}`;
  writeFileSync(join(folder, "cattlegrid.template.yaml"), text);
}

/** Resolves when so many are. */
async function keepReady(daemon: BenchDaemon, size: number): Promise<void> {
  const path = "/v1/templates/pooled/warm";
  const { ready, problem } = await daemon.put<WarmPool>(path, { size });
  if (ready === size) return;
  throw new CattlegridError("INTERNAL", `${ready} of ${size} are ready: ${problem ?? "unknown"}`);
}
