import { join } from "node:path";
import { CattlegridError } from "../src/errors/error.ts";
import { runProcess } from "../src/platform/process.ts";
import { BenchDaemon } from "./daemon.ts";
import type { Figure } from "./report.ts";
import { timeInTurn } from "./statistics.ts";
import type { BenchContext } from "./yard.ts";

const RUNS = 25;
const PROGRAM = join(import.meta.dirname, "../bin/cattlegrid");

/** P10: what somebody waits for who types a command, with the daemon up. */
export async function measureCommandLine(context: BenchContext): Promise<Figure[]> {
  const { yard, signal, effort } = context;
  await using daemon = await BenchDaemon.open(yard.makeDirectory("command-line"));
  await daemon.start("typed");
  const { environment } = daemon;
  const type = async (...argv: string[]): Promise<void> => {
    const { code, stderr } = await runProcess(argv, { environment });
    if (code !== 0) throw new CattlegridError("INTERNAL", `${argv.join(" ")}: ${code} ${stderr}`);
  };
  const { exec, version, node } = await timeInTurn(
    {
      exec: () => type(PROGRAM, "exec", "typed", "--", "true"),
      version: () => type(PROGRAM, "--version"),
      node: () => type(process.execPath, "-e", "0"),
    },
    { warmUp: 2, counted: Math.ceil(RUNS * effort), signal },
  );
  const figure = { promise: "P10", unit: "ms" } as const;
  return [
    { ...figure, what: "exec NAME -- true, p50", value: exec.p50, target: { atMost: 120 } },
    { ...figure, what: "exec NAME -- true, p99", value: exec.p99 },
    { ...figure, what: "--version, p50", value: version.p50, target: { atMost: 60 } },
    { ...figure, what: "node -e 0, p50", value: node.p50 },
    { ...figure, what: "exec to node", value: exec.p50 / node.p50, unit: "×" },
  ];
}
