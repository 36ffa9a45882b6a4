import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import headless from "@xterm/headless";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { OutputFilter } from "../../src/cli/output/output-filter.ts";
import { spawnProcess } from "../../src/platform/process.ts";
import { allOf, program } from "../support/requirement.ts";

const SIZE = { cols: 100, rows: 30 };
const CUTS = 24;

/** What a full-screen program writes to a real terminal, with `keys` typed into it. */
async function capture(command: string, keys: string, cwd: string): Promise<Buffer> {
  const sized = `stty rows ${SIZE.rows} cols ${SIZE.cols}; ${command}`;
  const child = spawnProcess(["script", "-qfec", sized, "/dev/null"], {
    cwd,
    environment: {
      PATH: process.env["PATH"] ?? "",
      TERM: "xterm-256color",
      HOME: cwd,
      LANG: "C.UTF-8",
    },
  });
  const chunks: Buffer[] = [];
  child.stdout?.on("data", (bytes: Buffer) => chunks.push(bytes));
  child.stdin?.on("error", () => undefined);
  child.stdin?.write(keys);
  await new Promise((resolve) => child.once("close", resolve));
  return Buffer.concat(chunks);
}

/** Text and colours of the screen that the bytes draw. */
async function draw(bytes: Uint8Array): Promise<readonly string[]> {
  const terminal = new headless.Terminal({ ...SIZE, allowProposedApi: true });
  await new Promise<void>((resolve) => terminal.write(bytes, resolve));
  const { active } = terminal.buffer;
  const lines = Array.from({ length: SIZE.rows }, (_, row) => {
    const line = active.getLine(active.viewportY + row);
    const cells = Array.from({ length: SIZE.cols }, (__, column) => line?.getCell(column));
    return cells
      .map(
        (cell) => `${cell?.getChars()}${cell?.getFgColor()}/${cell?.isBold()}/${cell?.isInverse()}`,
      )
      .join(" ");
  });
  terminal.dispose();
  return [...lines, `${active.cursorX},${active.cursorY},${active.type}`];
}

describe("what full-screen programs draw is not changed by the filter", () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "cg-filter-"));
    const lines = Array.from(
      { length: 200 },
      (_, row) => `int line_${row} = ${row}; /* ünï ✓ 日本 */`,
    );
    writeFileSync(join(directory, "file.c"), lines.join("\n"));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  test.for([
    {
      name: "vim",
      command:
        "vim -Nu NONE -c 'set title mouse=a termguicolors ttimeoutlen=1' -c 'syntax on' -c 'split' -c 'normal 50G' -c 'redraw' -c 'sleep 200m' -c 'qa!' file.c",
      keys: "",
    },
    { name: "less", command: "less -R -N file.c", keys: "  /line_90\ngq" },
    { name: "top", command: "top -n 1 -d 0.1", keys: "" },
    {
      name: "tmux",
      command: "tmux -L cg$$ -f /dev/null new-session 'ls --color=always /; sleep 0.5'",
      keys: "",
    },
  ])("$name", async ({ name, command, keys }, context) => {
    const needed = allOf(program("script"), program(name));
    if (!needed.met) return context.skip(needed.reason);
    const bytes = await capture(command, keys, directory);
    expect(bytes.length).toBeGreaterThan(200);
    for (let cut = 1; cut <= CUTS; cut += 1) {
      const part = bytes.subarray(0, Math.floor((bytes.length * cut) / CUTS));
      const filtered = new OutputFilter([]).push(part);
      expect(await draw(filtered)).toEqual(await draw(part));
    }
  });
});
