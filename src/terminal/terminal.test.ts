import { deepEqual } from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { asyncProperty, assert as check, array, integer } from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createProcessProvider } from "../../test/support/process-provider.ts";
import type { ProcessEnding, SandboxProcess } from "../sandbox/process.ts";
import type { RunningSandbox } from "../sandbox/provider.ts";
import type { Attachment } from "./attachment.ts";
import { Terminal, type TerminalOptions } from "./terminal.ts";

const KIB = 1024;

let directory: string;
let sandbox: RunningSandbox;
let opened: Terminal[];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "cg-terminal-"));
  const provider = createProcessProvider(join(directory, "provider"));
  const specification = {
    id: "sbx_terminal",
    name: "terminal",
    protectedPaths: [],
    homeLayers: [],
    toolchains: [],
    environment: {},
    certificates: [],
    limits: {},
  };
  await provider.create(specification, AbortSignal.timeout(10_000));
  sandbox = await provider.start(
    specification,
    { onCapture: () => undefined },
    AbortSignal.timeout(10_000),
  );
  opened = [];
});

afterEach(async () => {
  await Promise.all(opened.map((terminal) => terminal.dispose()));
  await sandbox.stop();
  const leftSpools = readdirSync(directory).filter((name) => name.endsWith(".spool"));
  rmSync(directory, { recursive: true, force: true });
  deepEqual(leftSpools, [], "every spool is gone");
});

async function open(script: string, options: Partial<TerminalOptions> = {}): Promise<Terminal> {
  const process = await sandbox.exec({ argv: ["sh", "-c", script] }, AbortSignal.timeout(10_000));
  const terminal = new Terminal({
    id: `trm_${opened.length}`,
    process,
    tty: false,
    spoolDirectory: directory,
    ...options,
  });
  opened.push(terminal);
  return terminal;
}

interface Reading {
  output: string;
  errors: string;
  offset: number;
  ended: string | undefined;
}

/** Reads and acknowledges until the end, or until at least `bytes` were read. */
async function read(attachment: Attachment, bytes = Infinity): Promise<Reading> {
  const seen: Reading = { output: "", errors: "", offset: 0, ended: undefined };
  let count = 0;
  for await (const event of attachment.events()) {
    if (event.kind !== "output") {
      seen.ended = event.kind === "ended" ? event.ending.kind : event.kind;
      break;
    }
    seen[event.stream] += event.bytes.toString("latin1");
    seen.offset = event.offset + event.bytes.length;
    count += event.bytes.length;
    attachment.acknowledge(seen.offset);
    if (count >= bytes) break;
  }
  return seen;
}

/** Lines `0` to `count - 1`, of seven bytes each. */
function numbered(count: number): string {
  return Array.from({ length: count }, (_, line) => `${String(line).padStart(6, "0")}\n`).join("");
}

const NUMBERS = (count: number): string => `seq -f %06g 0 ${count - 1}`;

describe("a terminal", () => {
  test("tells both streams apart and announces its ending after the last byte", async () => {
    const terminal = await open("printf out; printf err >&2; exit 3");
    const seen = await read(terminal.attach());
    expect(seen).toMatchObject({ output: "out", errors: "err", offset: 6, ended: "exited" });
    expect(await terminal.ended).toEqual({ kind: "exited", code: 3 });
  });

  test("gives a viewer that comes after the end everything, then the ending", async () => {
    const terminal = await open("printf last-line-without-newline");
    await terminal.ended;
    const seen = await read(terminal.attach());
    expect(seen).toMatchObject({ output: "last-line-without-newline", ended: "exited" });
  });

  test("passes input on, and its end", async () => {
    const terminal = await open("cat");
    await terminal.write(Buffer.from("hello "));
    await terminal.write(Buffer.from("there"));
    terminal.endInput();
    expect(await read(terminal.attach())).toMatchObject({ output: "hello there", ended: "exited" });
  });

  test("ends as timed out when its deadline passes", async () => {
    const terminal = await open("printf before; exec sleep 600", { timeoutMs: 50 });
    expect((await read(terminal.attach())).ended).toBe("timed-out");
    expect(await terminal.ended).toEqual({ kind: "timed-out", code: 124 });
  });

  test("ends as stopped when it is killed, together with its children", async () => {
    const terminal = await open("sleep 600 & echo started; wait");
    const viewer = terminal.attach();
    await read(viewer, 8);
    await terminal.kill();
    expect((await terminal.ended).kind).toBe("stopped");
  });

  test("serves several viewers, each from its own offset", async () => {
    const terminal = await open(NUMBERS(1000));
    const [first, second] = await Promise.all([read(terminal.attach()), read(terminal.attach())]);
    expect(first.output).toBe(numbered(1000));
    expect(second.output).toBe(numbered(1000));
  });
});

/** A process that has ended before anybody read what it printed. */
function endedProcess(text: string, ending: ProcessEnding): SandboxProcess {
  const output = new PassThrough();
  for (const line of text.split(/(?<=\n)/)) output.write(line);
  output.end();
  return {
    output,
    errors: undefined,
    input: new PassThrough(),
    ended: Promise.resolve(ending),
    resize: () => undefined,
    signal: async () => undefined,
    kill: async () => undefined,
  };
}

describe("a program that ended while it was held", () => {
  test.each([["its viewer leaves"], ["it is killed"]])(
    "is announced after its last byte, as it ended, though %s",
    async (event) => {
      const terminal = new Terminal({
        id: "trm_held",
        process: endedProcess(numbered(100), { kind: "exited", code: 4 }),
        tty: false,
        spoolDirectory: directory,
        limits: { windowBytes: 1 },
      });
      opened.push(terminal);
      const viewer = terminal.attach();
      // The first bytes hold the program; by then it has ended long ago.
      for await (const seen of viewer.events()) if (seen.kind === "output") break;
      if (event === "it is killed") await terminal.kill();
      const seen = await read(terminal.attach());
      expect([seen.output, seen.ended]).toEqual([numbered(100), "exited"]);
      expect(await terminal.ended).toEqual({ kind: "exited", code: 4 });
    },
  );
});

test("pieces that fill a read come together, and what comes alone comes at once", async () => {
  const output = new PassThrough();
  const ended = Promise.withResolvers<ProcessEnding>();
  const process = {
    output,
    input: new PassThrough(),
    ended: ended.promise,
    kill: async () => undefined,
  } as unknown as SandboxProcess;
  const options = { id: "trm_pieces", process, tty: true, spoolDirectory: directory };
  const terminal = new Terminal(options);
  opened.push(terminal);
  const lengths: number[] = [];
  const reading = (async () => {
    for await (const event of terminal.attach().events()) {
      if (event.kind === "output") lengths.push(event.bytes.length);
    }
  })();
  for (let count = 0; count < 16; count++) output.emit("data", Buffer.alloc(4 * KIB - 1));
  await expect.poll(() => lengths.reduce((sum, each) => sum + each, 0)).toBe(16 * (4 * KIB - 1));
  expect(lengths.length).toBeLessThan(8);
  lengths.length = 0;
  output.emit("data", Buffer.alloc(1));
  await new Promise(setImmediate);
  expect(lengths).toEqual([1]);
  output.end();
  ended.resolve({ kind: "exited", code: 0 });
  await reading;
});

describe("flow control", () => {
  test("holds the program back while its one viewer acknowledges nothing", async () => {
    const limits = { windowBytes: 64 * KIB, memoryBytes: 64 * KIB };
    const terminal = await open("exec cat /dev/zero", { limits });
    const viewer = terminal.attach();
    let received = 0;
    for await (const event of viewer.events()) {
      if (event.kind === "output") received += event.bytes.length;
      if (received >= 64 * KIB) break;
    }
    expect(received).toBe(64 * KIB);
    expect(terminal.end).toBeLessThan(1024 * KIB);
  });

  test("spools what nobody reads, then holds the program, and loses nothing", async () => {
    const limits = { memoryBytes: 64 * KIB, spoolBytes: 512 * KIB };
    const terminal = await open(NUMBERS(400_000), { limits });
    // A viewer that leaves at once: what it was not sent stays for the next one.
    terminal.attach().detach();
    const seen = await read(terminal.attach());
    expect(seen.ended).toBe("exited");
    expect(seen.output === numbered(400_000)).toBe(true);
  });

  test("refuses an offset that was released, naming what is kept", async () => {
    const limits = { replayBytes: 0 };
    const terminal = await open(NUMBERS(50_000), { limits });
    await read(terminal.attach());
    expect(() => terminal.attach({ offset: 0 })).toThrow(/holds \d+ to 350000/);
    expect(() => terminal.attach({ offset: 350_001 })).toThrow(/not kept/);
    expect((await read(terminal.attach({ offset: 350_000 }))).ended).toBe("exited");
  });
});

test("detaching and attaching again at any moment loses and repeats no byte", async () => {
  const stops = array(integer({ min: 1, max: 200_000 }), { maxLength: 8 });
  await check(
    asyncProperty(stops, async (lengths) => {
      const limits = { windowBytes: 32 * KIB, memoryBytes: 16 * KIB, replayBytes: 4 * KIB };
      const terminal = await open(NUMBERS(60_000), { limits });
      let output = "";
      let offset = 0;
      for (const length of [...lengths, Infinity]) {
        const seen = await read(terminal.attach({ offset }), length);
        output += seen.output;
        offset = Math.max(offset, seen.offset);
      }
      expect(output === numbered(60_000)).toBe(true);
    }),
    { numRuns: 15 },
  );
});
