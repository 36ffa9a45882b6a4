const WIDTH = 7;
const FRAME_MS = 100;

/** From one filled cell to all, then back. */
export function renderFrame(index: number): string {
  const period = 2 * (WIDTH - 1);
  const position = index % period;
  const filled = 1 + (position < WIDTH ? position : period - position);
  return "▰".repeat(filled) + "▱".repeat(WIDTH - filled);
}

/** Redraws one line until disposed; the cursor is hidden meanwhile. */
export function startSpinner(message: string): Disposable {
  const { stdout } = process;
  let index = 0;
  const draw = (): void => {
    stdout.write(`\r${renderFrame(index)} ${message}`);
    index += 1;
  };
  stdout.write("\u001b[?25l");
  draw();
  const timer = setInterval(draw, FRAME_MS);
  return {
    [Symbol.dispose]() {
      clearInterval(timer);
      stdout.write("\u001b[?25h\u001b[2K\r");
    },
  };
}
