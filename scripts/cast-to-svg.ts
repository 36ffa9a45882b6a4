import { Unicode11Addon } from "@xterm/addon-unicode11";
import headless from "@xterm/headless";
import type { Cast } from "../src/protocol/asciicast.ts";

const CELL = { width: 8.4, height: 17 };
const FONT_PIXELS = 14;
const MARGIN = 14;
/** The longest pause, and how long the last picture stays. */
const IDLE_SECONDS_MAX = 1.5;
const LAST_SECONDS = 4;
/** Output that comes within this time is one picture. */
const FRAME_SECONDS = 0.3;
const BACKGROUND = "#16181d";
const FOREGROUND = "#d7dae0";
const PALETTE = [
  "#3f4451",
  "#e05561",
  "#8cc265",
  "#d18f52",
  "#4aa5f0",
  "#c162de",
  "#42b3c2",
  "#d7dae0",
  "#6b727f",
  "#ff616e",
  "#a5e075",
  "#f0a45d",
  "#4dc4ff",
  "#de73ff",
  "#4cd1e0",
  "#ffffff",
];

interface Frame {
  atSeconds: number;
  /** One for each row: the markup of what is on it, empty when nothing is. */
  rows: readonly string[];
}

/** Renders a recording as a picture that moves, for any viewer of SVG. The same recording gives the same bytes. */
export async function renderSvg(cast: Cast): Promise<string> {
  const frames = await takeFrames(cast);
  const durationSeconds = (frames.at(-1)?.atSeconds ?? 0) + LAST_SECONDS;
  const { width: columns, height: rows } = cast.header;
  const width = Math.ceil(columns * CELL.width + 2 * MARGIN);
  const height = Math.ceil(rows * CELL.height + 2 * MARGIN);
  const lines = [...new Set(frames.flatMap((frame) => frame.rows.filter((row) => row !== "")))];
  const ids = new Map(lines.map((line, index) => [line, `l${index}`]));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">`,
    `<title>${escape(cast.header.title ?? "A terminal session")}</title>`,
    `<style>${describeStyle(frames, durationSeconds)}</style>`,
    `<rect width="${width}" height="${height}" rx="8" fill="${BACKGROUND}"/>`,
    "<defs>",
    ...lines.map((line) => `<text id="${ids.get(line) ?? ""}" xml:space="preserve">${line}</text>`),
    "</defs>",
    ...frames.map((frame, index) => renderFrame(frame, index, ids)),
    "</svg>\n",
  ].join("\n");
}

function renderFrame({ rows }: Frame, index: number, ids: ReadonlyMap<string, string>): string {
  const uses = rows.flatMap((row, y) => {
    const id = ids.get(row);
    const at = MARGIN + (y + 0.8) * CELL.height;
    return id === undefined ? [] : [`<use href="#${id}" x="${MARGIN}" y="${round(at)}"/>`];
  });
  return `<g class="f f${index}">${uses.join("")}</g>`;
}

/** Each picture is seen from its time to the next one's; without animation, only the last one. */
function describeStyle(frames: readonly Frame[], durationSeconds: number): string {
  const percent = (seconds: number): string => `${round((seconds / durationSeconds) * 100)}%`;
  const rules = frames.map(({ atSeconds }, index) => {
    const next = frames[index + 1]?.atSeconds;
    const end = next === undefined ? "" : `${percent(next)}{visibility:hidden}`;
    const start =
      index === 0 ? "0%{visibility:visible}" : `${percent(atSeconds)}{visibility:visible}`;
    const name = `f${index}`;
    const animation = `animation:${name} ${round(durationSeconds)}s step-end infinite`;
    return `@keyframes ${name}{0%{visibility:hidden}${start}${end}}.${name}{${animation}}`;
  });
  const font = `font:${FONT_PIXELS}px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace`;
  const last = `@media (prefers-reduced-motion){.f{animation:none}.f${frames.length - 1}{visibility:visible}}`;
  return `text{${font};fill:${FOREGROUND}}.f{visibility:hidden}${rules.join("")}${last}`;
}

async function takeFrames({ header, events }: Cast): Promise<Frame[]> {
  const terminal = new headless.Terminal({
    cols: header.width,
    rows: header.height,
    scrollback: 0,
    allowProposedApi: true,
  });
  terminal.loadAddon(new Unicode11Addon() as headless.ITerminalAddon);
  terminal.unicode.activeVersion = "11";
  const frames: Frame[] = [];
  let [before, now] = [0, 0];
  for (const [index, [at, kind, data]] of events.entries()) {
    now += Math.min(at - before, IDLE_SECONDS_MAX);
    before = at;
    if (kind === "o") await new Promise<void>((done) => terminal.write(data, done));
    const untilNext = (events[index + 1]?.[0] ?? Infinity) - at;
    const last = frames.at(-1)?.atSeconds ?? -Infinity;
    if (untilNext < FRAME_SECONDS && now - last < FRAME_SECONDS) continue;
    if (untilNext < FRAME_SECONDS / 4) continue;
    frames.push({ atSeconds: now, rows: readRows(terminal) });
  }
  terminal.dispose();
  return frames;
}

function readRows(terminal: headless.Terminal): string[] {
  const { active } = terminal.buffer;
  return Array.from({ length: terminal.rows }, (_, y) => {
    const line = active.getLine(active.viewportY + y);
    return line === undefined ? "" : renderLine(line, terminal.cols);
  });
}

function renderLine(line: headless.IBufferLine, columns: number): string {
  const runs: { style: string; text: string; x: number }[] = [];
  for (let x = 0; x < columns; x++) {
    const cell = line.getCell(x);
    if (cell === undefined || cell.getWidth() === 0) continue;
    const style = describeCell(cell);
    const last = runs.at(-1);
    if (last?.style === style) last.text += cell.getChars() || " ";
    else runs.push({ style, text: cell.getChars() || " ", x });
  }
  const shown = runs.map((run) => ({ ...run, text: run.text.trimEnd() || "" }));
  return shown
    .filter(({ text }) => text !== "")
    .map(
      ({ style, text, x }) => `<tspan x="${round(x * CELL.width)}"${style}>${escape(text)}</tspan>`,
    )
    .join("");
}

function describeCell(cell: headless.IBufferCell): string {
  const colour = colourOf(cell);
  const fill = colour === undefined ? "" : ` fill="${colour}"`;
  const weight = cell.isBold() ? ' font-weight="bold"' : "";
  return `${fill}${weight}${cell.isDim() ? ' opacity="0.7"' : ""}`;
}

function colourOf(cell: headless.IBufferCell): string | undefined {
  const colour = cell.getFgColor();
  if (cell.isFgRGB()) return `#${colour.toString(16).padStart(6, "0")}`;
  if (!cell.isFgPalette()) return undefined;
  return PALETTE[colour] ?? cubeColour(colour);
}

/** The colours 16 to 255: a cube of six steps, then greys. */
function cubeColour(index: number): string {
  if (index >= 232)
    return `rgb(${Array(3)
      .fill(8 + (index - 232) * 10)
      .join()})`;
  const step = (value: number): number => (value === 0 ? 0 : 55 + value * 40);
  const cube = index - 16;
  return `rgb(${step(Math.floor(cube / 36))},${step(Math.floor(cube / 6) % 6)},${step(cube % 6)})`;
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
