import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { SILENT_LOGGER } from "../platform/logger.ts";
import type { TerminalSize } from "../protocol/process.ts";
import type { ProcessEnding, SandboxProcess } from "../sandbox/process.ts";
import type { Attachment, TerminalEvent } from "./attachment.ts";
import { Screens } from "./screens.ts";
import { Terminal, type TerminalOptions } from "./terminal.ts";

const MIB = 1024 * 1024;
const SIZE = { columns: 80, rows: 24 };

/** A program with a controlling terminal, spoken for by the test. */
class SpokenProgram implements SandboxProcess {
  readonly output = new PassThrough({ highWaterMark: 64 * 1024 });
  readonly errors = undefined;
  readonly input = new PassThrough();
  readonly sizes: TerminalSize[] = [];
  readonly #exit = Promise.withResolvers<ProcessEnding>();
  readonly ended = this.#exit.promise;

  async write(text: string | Buffer): Promise<void> {
    if (!this.output.write(text)) await once(this.output, "drain");
  }
  resize(size: TerminalSize): void {
    this.sizes.push(size);
  }
  async signal(): Promise<void> {}
  async kill(): Promise<void> {
    this.output.end();
    this.#exit.resolve({ kind: "exited", code: 0 });
  }
}

let directory: string;
let screens: Screens;
let program: SpokenProgram;
let terminal: Terminal;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "cg-viewers-"));
  screens = new Screens(SILENT_LOGGER);
  program = new SpokenProgram();
});
afterEach(async () => {
  await terminal.dispose();
  await screens.close();
  rmSync(directory, { recursive: true });
});

function open(limits: TerminalOptions["limits"] = {}, size: TerminalSize = SIZE): void {
  const screen = screens.open(size);
  terminal = new Terminal({
    id: "trm_viewers",
    process: program,
    tty: true,
    spoolDirectory: directory,
    limits,
    ...(screen === undefined ? {} : { screen }),
  });
}

/** Everything was taken from the program and is in the terminal's log. */
async function write(text: string | Buffer): Promise<void> {
  const end = terminal.end + Buffer.byteLength(text);
  await program.write(text);
  await vi.waitFor(() => expect(terminal.end).toBe(end), { timeout: 10_000, interval: 1 });
}

/** Reads on until `count` more bytes have come, or until the events end. */
async function readOn(
  attachment: Attachment,
  count = Infinity,
): Promise<{ text: string; last: TerminalEvent["kind"] }> {
  const events = attachment.events();
  let text = "";
  while (text.length < count) {
    const step = await events.next();
    if (step.done === true) break;
    if (step.value.kind !== "output") return { text, last: step.value.kind };
    text += step.value.bytes.toString("latin1");
    attachment.acknowledge(step.value.offset + step.value.bytes.length);
  }
  return { text, last: "output" };
}

describe("a viewer of the screen", () => {
  test("begins with the screen as it is, and gets the exact bytes behind it", async () => {
    open();
    await write("one\r\ntwo\x1b[31m red\x1b[");
    const { attachment, screen } = await terminal.attachToScreen();
    expect(screen?.size).toEqual(SIZE);
    // The sequence that is not finished comes last, so that its end finds it.
    expect(Buffer.from(screen?.bytes ?? []).toString()).toMatch(
      /^one\r\ntwo\x1b\[31m red.*\x1b\[$/,
    );
    expect(attachment.acknowledged).toBe(terminal.end);
    await write("0m plain");
    expect((await readOn(attachment, 8)).text).toBe("0m plain");
  });

  test("sees the screen in the size that its window has given it", async () => {
    open();
    await write("x".repeat(70));
    terminal.resize({ columns: 100, rows: 30 }, {});
    const { screen } = await terminal.attachToScreen();
    expect(screen?.size).toEqual({ columns: 100, rows: 30 });
  });

  test("sees the last lines after more output than can be followed", async () => {
    open();
    const numbers = Array.from({ length: 100 }, (_, index) => `line ${index} \r\n`).join("");
    for (let step = 0; step < 100; step++) await program.write(numbers.repeat(150));
    await program.write("\x1b[?25lthe end");
    await vi.waitFor(() => expect(terminal.end).toBe(numbers.length * 15_000 + 13), {
      timeout: 20_000,
    });
    const { screen } = await terminal.attachToScreen();
    const text = Buffer.from(screen?.bytes ?? []).toString();
    expect(text).toContain("line 98 \r\nline 99 \r\nthe end");
    expect(text).toContain("\x1b[?25l");
  });

  test("gets what is kept where no screen can be kept", async () => {
    open({}, { columns: 9000, rows: 9000 });
    await write("kept");
    const { attachment, screen } = await terminal.attachToScreen();
    expect(screen).toBeUndefined();
    expect((await readOn(attachment, 4)).text).toBe("kept");
  });

  test("gets what is kept when the thread of the screens has ended", async () => {
    open();
    await write("kept");
    await terminal.attachToScreen();
    await screens.close();
    const { attachment, screen } = await terminal.attachToScreen();
    expect(screen).toBeUndefined();
    expect((await readOn(attachment, 4)).text).toBe("kept");
  });
});

describe("several viewers", () => {
  const limits = {
    windowBytes: 64 * 1024,
    memoryBytes: 64 * 1024,
    behindBytes: MIB,
    replayBytes: 0,
  };

  test("each read at their own pace: a slow one holds back nobody and misses nothing", async () => {
    open(limits);
    const slow = terminal.attach();
    const fast = terminal.attach();
    const text = "0123456789abcdef".repeat(16 * 1024);
    const reading = readOn(fast, 8 * text.length);
    for (let step = 0; step < 8; step++) await program.write(text);
    expect((await reading).text === text.repeat(8)).toBe(true);
    expect((await readOn(slow, 8 * text.length)).text === text.repeat(8)).toBe(true);
  });

  test("are held back together by the fastest one", async () => {
    open(limits);
    terminal.attach();
    terminal.attach();
    for (let step = 0; step < 8; step++) program.output.write(Buffer.alloc(MIB / 8));
    await sleep(100);
    expect(terminal.end).toBeLessThan(MIB / 2);
  });

  test("one of the screen that is far behind is told so once it reads again, and holds nothing on disk", async () => {
    open(limits);
    const slow = (await terminal.attachToScreen()).attachment;
    const events = slow.events();
    const fast = terminal.attach({ offset: 0 });
    const first = events.next();
    const reading = readOn(fast, 4 * MIB);
    for (let step = 0; step < 64; step++) await program.write(Buffer.alloc(MIB / 16, "x"));
    await reading;
    let event = (await first).value as TerminalEvent;
    while (event.kind === "output") {
      slow.acknowledge(event.offset + event.bytes.length);
      event = (await events.next()).value as TerminalEvent;
    }
    expect(event).toEqual({ kind: "behind" });
    expect(slow.acknowledged).toBeLessThan(MIB);
    expect((await terminal.attachToScreen()).attachment.acknowledged).toBe(4 * MIB);
  });

  test("the size is that of the one who was active last", async () => {
    open();
    const [small, large] = [{}, {}];
    terminal.resize({ columns: 40, rows: 10 }, small);
    terminal.resize({ columns: 100, rows: 50 }, large);
    await terminal.write(Buffer.from("k"), small);
    await terminal.write(Buffer.from("k"), small);
    await terminal.write(Buffer.from("k"), large);
    terminal.leave(large);
    terminal.leave(small);
    expect(program.sizes.map(({ columns }) => columns)).toEqual([40, 100, 40, 100, 40]);
  });
});
