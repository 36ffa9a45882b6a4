import {
  appendFileSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { EgressRecord } from "../protocol/egress.ts";
import { readRecords } from "./record-reader.ts";
import { openRecorder } from "./recorder.ts";

let directory = "";
let path = "";

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "cattlegrid-recorder-"));
  path = join(directory, "egress.jsonl");
});

afterEach(() => rmSync(directory, { recursive: true }));

function record(name: string): EgressRecord {
  return {
    time: "2026-11-24T00:00:00.000Z",
    sandboxId: "s-1",
    kind: "dns",
    action: "deny",
    name,
    reasonCode: "no-rule",
    reason: `no rule allows ${name}`,
  };
}

async function collect(options: { follow?: boolean; signal?: AbortSignal } = {}) {
  const names: (string | undefined)[] = [];
  for await (const each of readRecords({ path, ...options })) names.push(each.name);
  return names;
}

describe("a recorder", () => {
  test("writes each record to a file of its owner alone, and all of them before it closes", async () => {
    const recorder = await openRecorder({ path });
    const names = Array.from({ length: 1000 }, (_, index) => `n${index}.example`);
    for (const name of names) recorder.record(record(name));
    await recorder.close();
    expect(await collect()).toEqual(names);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  test("goes on after the records of an earlier run, and after a line that a crash cut", async () => {
    writeFileSync(path, `${JSON.stringify(record("a.example"))}\n{"time":"2026-`);
    const recorder = await openRecorder({ path });
    recorder.record(record("b.example"));
    await recorder.close();
    expect(await collect()).toEqual(["a.example", "b.example"]);
  });

  test("keeps one older file when the first is full", async () => {
    const recorder = await openRecorder({ path, bytesMax: 1000 });
    for (let index = 0; index < 20; index++) {
      recorder.record(record(`n${index}.example`));
      while ((await collect()).at(-1) !== `n${index}.example`) await new Promise(setImmediate);
    }
    await recorder.close();
    expect(statSync(path).size).toBeLessThanOrEqual(1000);
    expect(statSync(`${path}.1`).size).toBeLessThanOrEqual(1000);
    const names = await collect();
    expect(names.at(-1)).toBe("n19.example");
    expect(names.length).toBeGreaterThan(5);
  });

  test("writes printable ASCII on one line, whatever is in a name", async () => {
    const recorder = await openRecorder({ path });
    recorder.record(record('a\n{"fake":1}\u001b[2J\u202e\u2028ü\ud800'));
    recorder.record(record("x".repeat(100_000)));
    await recorder.close();
    const lines = readFileSync(path, "latin1").split("\n");
    expect(lines).toHaveLength(3);
    expect(lines.join("")).toMatch(/^[\x20-\x7e]*$/);
    expect((JSON.parse(lines[0]!) as EgressRecord).name).toBe(
      'a\\u{a}{"fake":1}\\u{1b}[2J\\u{202e}\\u{2028}ü\\u{d800}',
    );
    expect(lines[1]!.length).toBeLessThan(3000);
  });

  test("survives a disk that fails, and tells of the records it cost", async () => {
    const failures: string[] = [];
    const onFailure = (error: Error) => failures.push((error as NodeJS.ErrnoException).code ?? "");
    const recorder = await openRecorder({ path, bytesMax: 250, onFailure });
    recorder.record(record("a.example"));
    while (statSync(path).size === 0) await new Promise(setImmediate);
    renameSync(directory, `${directory}-away`);
    recorder.record(record("b.example"));
    while (failures.length === 0) await new Promise(setImmediate);
    renameSync(`${directory}-away`, directory);
    recorder.record(record("c.example"));
    await recorder.close();
    const reasons: string[] = [];
    for await (const each of readRecords({ path })) reasons.push(each.reason);
    expect(failures).toEqual(["ENOENT"]);
    expect(reasons).toEqual([
      "no rule allows a.example",
      "1 records could not be written",
      "no rule allows c.example",
    ]);
  });

  test("drops what is recorded after it closed", async () => {
    const recorder = await openRecorder({ path });
    await recorder.close();
    await recorder.close();
    recorder.record(record("a.example"));
    expect(await collect()).toEqual([]);
  });
});

describe("a reader", () => {
  test("finds no records where there is no file", async () => {
    expect(await collect()).toEqual([]);
  });

  test("leaves out lines that are no records", async () => {
    appendFileSync(path, `null\n{}\n[\n${JSON.stringify(record("a.example"))}\n`);
    expect(await collect()).toEqual(["a.example"]);
  });

  test("follows what is written, across a rotation and from before the file is there", async () => {
    const stop = new AbortController();
    const names = Array.from({ length: 30 }, (_, index) => `n${index}.example`);
    const seen: string[] = [];
    const following = (async () => {
      for await (const each of readRecords({ path, follow: true, signal: stop.signal })) {
        seen.push(each.name ?? "");
        if (seen.length === names.length) stop.abort();
      }
    })();
    const recorder = await openRecorder({ path, bytesMax: 3000 });
    for (const [index, name] of names.entries()) {
      recorder.record(record(name));
      while (seen.length < index) await new Promise(setImmediate);
    }
    await following;
    await recorder.close();
    expect(seen).toEqual(names);
    expect(statSync(`${path}.1`).size).toBeGreaterThan(0);
  });

  test("stops following when asked to, though nothing is written", async () => {
    const stop = new AbortController();
    setImmediate(() => stop.abort());
    expect(await collect({ follow: true, signal: stop.signal })).toEqual([]);
  });
});
