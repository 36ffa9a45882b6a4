import { createHash, randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { ReadStream } from "node:tty";
import { ConsoleSocket } from "../src/platform/console-socket.ts";
import { BareRuntime } from "./bare-runtime.ts";
import { BenchDaemon } from "./daemon.ts";
import type { Figure } from "./report.ts";
import { summarise, type Summary } from "./statistics.ts";
import type { BenchContext } from "./yard.ts";

const MIB = 2 ** 20;
const STREAM_BYTES = 64 * MIB;
const STREAM_RUNS = 4;
const ROUND_TRIPS = 2_000;
const EXACT_BYTES = 4 * MIB;
const EXACT_RUNS = 60;
/** At once, so that the end of one is read while another still writes. */
const EXACT_TOGETHER = 2;
const TERMINAL = { columns: 120, rows: 30 };
/** Every byte then comes as it was written. */
const RAW = "stty raw -echo && exec cat";

interface Place {
  daemon: BenchDaemon;
  sandboxId: string;
  signal: AbortSignal;
}

/** P4: what a program writes to its terminal, through the engine and the API to a viewer. */
export async function measureTerminal({ yard, signal, effort }: BenchContext): Promise<Figure[]> {
  await using daemon = await BenchDaemon.open(yard.makeDirectory("terminal"));
  const { id: sandboxId } = await daemon.start("terminal");
  const place = { daemon, sandboxId, signal };
  const stream = writeBytes(daemon.workspace, "stream", STREAM_BYTES);
  const bare = new BareRuntime({
    enginePid: daemon.pid,
    runtimeDirectory: daemon.runtimeDirectory,
    donorName: "terminal",
    directory: daemon.workspace,
  });
  const [speeds, bareSpeeds]: [number[], number[]] = [[], []];
  for (let run = 0; run < Math.ceil(STREAM_RUNS * effort); run += 1) {
    speeds.push(speed(await readThrough(place, stream)));
    bareSpeeds.push(speed(await readBare(bare, daemon.workspace, stream)));
  }
  const trips = await measureRoundTrips(place, Math.ceil(ROUND_TRIPS * effort));
  const inexact = await countInexact(place, Math.ceil(EXACT_RUNS * effort));
  return describe({ speeds, bareSpeeds, trips, inexact });
}

function describe(measured: {
  speeds: readonly number[];
  bareSpeeds: readonly number[];
  trips: Summary;
  inexact: Inexact;
}): Figure[] {
  const { speeds, bareSpeeds, trips, inexact } = measured;
  const through = summarise(speeds).p50;
  const floor = summarise(bareSpeeds).p50;
  const promise = "P4";
  const { runs, wrong } = inexact;
  return [
    { promise, what: "pass-through, p50", value: through, unit: "MB/s", target: { atLeast: 80 } },
    { promise, what: "bare crun exec on a terminal, p50", value: floor, unit: "MB/s" },
    { promise, what: "of bare", value: through / floor, unit: "×" },
    { promise, what: "round trip of one byte, p50", value: trips.p50, unit: "ms" },
    {
      promise,
      what: "round trip of one byte, p99",
      value: trips.p99,
      unit: "ms",
      target: { atMost: 2 },
    },
    {
      promise,
      what: `of ${runs} × 4 MiB not exact`,
      value: wrong,
      unit: "",
      target: { atMost: 0 },
      gates: true,
    },
  ];
}

interface Sample {
  path: string;
  bytes: Buffer;
}

interface Received {
  bytes: Buffer;
  elapsedMs: number;
}

function writeBytes(directory: string, name: string, length: number): Sample {
  const path = join(directory, name);
  const bytes = randomBytes(length);
  writeFileSync(path, bytes, { mode: 0o644 });
  return { path, bytes };
}

function speed({ bytes, elapsedMs }: Received): number {
  return bytes.length / 1e6 / (elapsedMs / 1000);
}

/** `cat` in a raw terminal; timed from the first byte to the ending. */
async function readThrough(place: Place, { path, bytes }: Sample): Promise<Received> {
  const received = await receive(place, path);
  expectEqual(received.bytes, bytes);
  return received;
}

async function receive({ daemon, sandboxId, signal }: Place, path: string): Promise<Received> {
  signal.throwIfAborted();
  const chunks: Buffer[] = [];
  let startedAt = 0;
  const sink = {
    async output(bytes: Uint8Array) {
      startedAt ||= performance.now();
      chunks.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
    },
    errors: async () => undefined,
  };
  const argv = ["sh", "-c", `${RAW} "$1"`, "sh", path];
  const link = await daemon.exec(sandboxId, { argv, terminal: TERMINAL }, sink);
  await link.ending;
  return { bytes: Buffer.concat(chunks), elapsedMs: performance.now() - startedAt };
}

/** The same from the runtime alone: its terminal's master, read by this process. */
async function readBare(bare: BareRuntime, directory: string, sample: Sample): Promise<Received> {
  const path = join(directory, "console");
  const console = await ConsoleSocket.open(path);
  const argv = ["sh", "-c", `${RAW} "$1"`, "sh", sample.path];
  const { columns: width, rows: height } = TERMINAL;
  const size = { terminal: true, consoleSize: { width, height }, cwd: "/" };
  const client = bare.exec(bare.writeProcess(argv, size), undefined, [`--console-socket=${path}`]);
  const ended = client.succeed();
  const master = new ReadStream(await console.receive());
  console.close();
  const chunks: Buffer[] = [];
  let startedAt = 0;
  master.on("data", (bytes: Buffer) => {
    startedAt ||= performance.now();
    chunks.push(bytes);
  });
  // A master whose other side is closed reads as EIO.
  master.on("error", () => undefined);
  const hungUp = new Promise((resolve) => void master.once("close", resolve));
  await Promise.all([ended, hungUp]);
  const received = { bytes: Buffer.concat(chunks), elapsedMs: performance.now() - startedAt };
  expectEqual(received.bytes, sample.bytes);
  return received;
}

function expectEqual(received: Buffer, expected: Buffer): void {
  const digest = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");
  if (digest(received) === digest(expected)) return;
  const message = `A terminal gave ${received.length} bytes that are not the ${expected.length} written.`;
  throw new RangeError(message);
}

/** From a viewer to the program and back, one byte after the other. */
async function measureRoundTrips(place: Place, count: number): Promise<Summary> {
  const { daemon, sandboxId, signal } = place;
  let arrived = Promise.withResolvers<void>();
  const sink = { output: async () => arrived.resolve(), errors: async () => undefined };
  const argv = ["sh", "-c", "stty raw -echo && echo ready && exec cat"];
  const link = await daemon.exec(sandboxId, { argv, terminal: TERMINAL }, sink);
  await arrived.promise;
  const samples: number[] = [];
  const key = Buffer.from("x");
  for (let trip = 0; trip < count + 20; trip += 1) {
    signal.throwIfAborted();
    arrived = Promise.withResolvers<void>();
    const start = performance.now();
    void link.sendInput(key);
    await arrived.promise;
    samples.push(performance.now() - start);
  }
  link.control({ type: "kill" });
  await link.ending;
  return summarise(samples.slice(20));
}

interface Inexact {
  runs: number;
  wrong: number;
}

/** A program that writes and ends at once: every byte has to arrive before its ending. */
async function countInexact(place: Place, runs: number): Promise<Inexact> {
  const sample = writeBytes(place.daemon.workspace, "exact", EXACT_BYTES);
  let wrong = 0;
  let begun = 0;
  const work = async (): Promise<void> => {
    while ((begun += 1) <= runs) {
      const { bytes } = await receive(place, sample.path);
      if (!bytes.equals(sample.bytes)) wrong += 1;
    }
  };
  await Promise.all(Array.from({ length: EXACT_TOGETHER }, work));
  return { runs, wrong };
}
