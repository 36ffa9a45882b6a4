// Makes docs/session.cast by running the demo, and docs/session.svg from it. `--render` leaves the recording as it is.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CastRecorder, parseCast, type Cast } from "../src/protocol/asciicast.ts";
import { renderSvg } from "./cast-to-svg.ts";

const ROOT = join(import.meta.dirname, "..");
const CAST = join(ROOT, "docs/session.cast");
const PICTURE = join(ROOT, "docs/session.svg");
const SIZE = { columns: 100, rows: 32 };
/** What differs from run to run and says nothing. */
const TEMPORARY = /\/tmp\/cattlegrid-demo-\w+/g;

if (!process.argv.includes("--render")) writeFileSync(CAST, await recordDemo());
const cast = parseCast(readFileSync(CAST, "utf8")) as Cast;
writeFileSync(PICTURE, await renderSvg(cast));

async function recordDemo(): Promise<string> {
  const lines: string[] = [];
  const recorder = new CastRecorder({
    size: SIZE,
    title: "Cattlegrid's demo: Kiro CLI (simulated) in a sandbox",
    hasTerminal: false,
    startedAt: new Date(),
    write: (line) => lines.push(line.replaceAll(TEMPORARY, "/tmp/demo")),
  });
  const child = spawn(process.execPath, [join(ROOT, "simulator/demo.ts"), "--auto"], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (bytes: Buffer) => recorder.output(bytes));
  }
  const [status] = (await once(child, "close")) as [number | null];
  if (status !== 0) throw new Error(`the demo ended with ${String(status)}`);
  return lines.join("");
}
