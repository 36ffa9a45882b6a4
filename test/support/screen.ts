import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { vi } from "vitest";

const WAIT = { timeout: 20_000, interval: 50 };

/** A shell in a terminal of tmux's, typed into and read as a person does. */
export class Screen implements Disposable {
  readonly #server = `cg-${randomBytes(4).toString("hex")}`;

  constructor(options: {
    cwd: string;
    environment: Readonly<Record<string, string>>;
    columns?: number;
  }) {
    const variables = Object.entries(options.environment).filter(([name]) => name !== "TERM");
    const environment = variables.flatMap(([name, value]) => ["-e", `${name}=${value}`]);
    const size = ["-x", String(options.columns ?? 100), "-y", "40"];
    const shell = "PS1='HOST> ' exec bash --norc --noprofile";
    this.#tmux("new-session", "-d", ...size, "-c", options.cwd, ...environment, shell);
  }

  /** Types the text and presses Enter. */
  enter(text: string): void {
    this.type(text);
    this.press("Enter");
  }

  type(text: string): void {
    this.#tmux("send-keys", "-l", text);
  }

  /** Keys by tmux's names: `Enter`, `C-c`, `Down`. */
  press(...keys: readonly string[]): void {
    this.#tmux("send-keys", ...keys);
  }

  resize(columns: number, rows: number): void {
    this.#tmux("resize-window", "-x", String(columns), "-y", String(rows));
  }

  /** What is on the screen now, without empty lines. */
  text(): string {
    const lines = this.#tmux("capture-pane", "-p", "-J").split("\n");
    return lines
      .map((line) => line.trimEnd())
      .filter((line) => line !== "")
      .join("\n");
  }

  /** `alternate_on` and `cursor_flag` as tmux sees them. */
  modes(): string {
    return this.#tmux("display-message", "-p", "#{alternate_on} #{cursor_flag}").trim();
  }

  /** The terminal's settings, as `stty -a` tells them. */
  flags(): string {
    const terminal = this.#tmux("display-message", "-p", "#{pane_tty}").trim();
    return execFileSync("stty", ["-a", "-F", terminal], { encoding: "utf8" });
  }

  async shows(text: string | RegExp): Promise<void> {
    const wanted = typeof text === "string" ? (shown: string) => shown.includes(text) : text;
    await vi.waitFor(() => {
      const shown = this.text();
      const isThere = wanted instanceof RegExp ? wanted.test(shown) : wanted(shown);
      if (!isThere) throw new Error(`the screen does not show ${String(text)}:\n${shown}`);
    }, WAIT);
  }

  [Symbol.dispose](): void {
    this.#tmux("kill-server");
  }

  #tmux(...argv: readonly string[]): string {
    return execFileSync("tmux", ["-L", this.#server, "-f", "/dev/null", ...argv], {
      encoding: "utf8",
    });
  }
}
