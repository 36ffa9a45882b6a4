import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";

export interface Finished {
  exitCode: number | null;
  signal: NodeJS.Signals | null;
  stdout: Buffer;
  stderr: Buffer;
  /** Both, as text. */
  text: string;
}

export interface StartOptions {
  environment: Readonly<Record<string, string>>;
  directory: string;
}

/** A program on pipes, whose output can be waited for while it runs. */
export class RunningProgram {
  readonly child: ChildProcess;
  readonly finished: Promise<Finished>;
  readonly #stdout: Buffer[] = [];
  readonly #stderr: Buffer[] = [];

  constructor(argv: readonly string[], { environment, directory }: StartOptions) {
    const [file = "", ...rest] = argv;
    this.child = spawn(file, rest, { cwd: directory, env: environment, stdio: "pipe" });
    this.child.stdout?.on("data", (bytes: Buffer) => this.#stdout.push(bytes));
    this.child.stderr?.on("data", (bytes: Buffer) => this.#stderr.push(bytes));
    this.child.stdin?.on("error", () => undefined);
    this.finished = once(this.child, "close").then(([exitCode, signal]) => ({
      exitCode: exitCode as number | null,
      signal: signal as NodeJS.Signals | null,
      stdout: Buffer.concat(this.#stdout),
      stderr: Buffer.concat(this.#stderr),
      text: this.text(),
    }));
  }

  get pid(): number {
    return this.child.pid!;
  }

  /** The only child that the program has now. */
  childPid(): number {
    const { pid } = this;
    return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim());
  }

  text(): string {
    return Buffer.concat([...this.#stdout, ...this.#stderr]).toString();
  }

  write(text: string): void {
    this.child.stdin?.write(text);
  }

  end(text = ""): void {
    this.child.stdin?.end(text);
  }

  /** Resolves with all the text so far once it matches from `start` on; rejects when the program ends before. */
  until(pattern: RegExp, start = 0): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const check = (): void => {
      const text = this.text();
      if (pattern.test(text.slice(start))) resolve(text);
    };
    this.child.stdout?.on("data", check);
    this.child.stderr?.on("data", check);
    this.child.once("close", () => {
      check();
      reject(new Error(`ended before ${String(pattern)}:\n${this.text()}`));
    });
    check();
    return promise;
  }
}
