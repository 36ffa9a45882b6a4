import { once } from "node:events";
import { spawnProcess } from "../src/platform/process.ts";
import type { RunningSandbox } from "../src/sandbox/provider.ts";
import type { Figure } from "./report.ts";
import { summarise } from "./statistics.ts";

const TERMINAL = { columns: 80, rows: 24, rawOutput: true };
const THROUGHPUT_BYTES = 64 * 2 ** 20;
const EXACT_BYTES = 4 * 2 ** 20;
const EXACT_RUNS = 20;
const TRIPS = 300;
const NEVER: AbortSignal = new AbortController().signal;
const LINE = "0123456789";

/** A container's terminal: how fast, how soon, and whether all of it comes, also on a machine that has other things to do. */
export async function measureContainerTerminal(
  sandbox: RunningSandbox,
  effort: number,
): Promise<Figure[]> {
  const speed = await measureThroughput(sandbox);
  const trips = summarise(await measureRoundTrips(sandbox, Math.ceil(TRIPS * effort)));
  const runs = Math.ceil(EXACT_RUNS * effort);
  const wrong = await countInexact(sandbox, runs);
  const promise = "DOCKER";
  return [
    { promise, what: "through a terminal", value: speed, unit: "MB/s" },
    { promise, what: "round trip of one byte, p50", value: trips.p50, unit: "ms" },
    { promise, what: "round trip of one byte, p99", value: trips.p99, unit: "ms" },
    {
      promise,
      what: `of ${runs} × 4 MiB under load not exact`,
      value: wrong,
      unit: "",
      target: { atMost: 0 },
      gates: true,
    },
  ];
}

async function readAll(
  sandbox: RunningSandbox,
  length: number,
): Promise<{ bytes: Buffer; elapsedMs: number; code: number }> {
  const argv = ["sh", "-c", `yes ${LINE} | head -c ${length}; printf end; exit 7`];
  const program = await sandbox.exec({ argv, terminal: TERMINAL }, NEVER);
  const start = performance.now();
  const chunks: Buffer[] = [];
  for await (const chunk of program.output) chunks.push(chunk as Buffer);
  const elapsedMs = performance.now() - start;
  return { bytes: Buffer.concat(chunks), elapsedMs, code: (await program.ended).code };
}

async function measureThroughput(sandbox: RunningSandbox): Promise<number> {
  const { bytes, elapsedMs } = await readAll(sandbox, THROUGHPUT_BYTES);
  return bytes.length / 1e6 / (elapsedMs / 1000);
}

async function measureRoundTrips(sandbox: RunningSandbox, count: number): Promise<number[]> {
  const argv = ["sh", "-c", "stty raw -echo && echo ready && exec cat"];
  const program = await sandbox.exec({ argv, terminal: TERMINAL }, NEVER);
  await once(program.output, "data");
  const samples: number[] = [];
  for (let trip = 0; trip < count; trip += 1) {
    const arrived = once(program.output, "data");
    const start = performance.now();
    program.input.write("x");
    await arrived;
    samples.push(performance.now() - start);
  }
  await program.kill();
  return samples;
}

async function countInexact(sandbox: RunningSandbox, runs: number): Promise<number> {
  const expected = Buffer.concat([Buffer.alloc(EXACT_BYTES, `${LINE}\n`), Buffer.from("end")]);
  const load = [1, 2].map(() => spawnProcess(["sh", "-c", "while :; do :; done"]));
  let wrong = 0;
  try {
    for (let index = 0; index < runs; index += 1) {
      const { bytes, code } = await readAll(sandbox, EXACT_BYTES);
      if (code !== 7 || !bytes.equals(expected)) wrong += 1;
    }
  } finally {
    for (const each of load) each.kill("SIGKILL");
  }
  return wrong;
}
