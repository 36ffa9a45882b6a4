import { constants } from "node:os";
import { PassThrough, Transform, type Readable, type Writable } from "node:stream";
import { finished } from "node:stream/promises";
import type { ProcessEnding, ProcessRequest, SandboxProcess } from "../../sandbox/process.ts";
import type { FakeProgram, FakeRun } from "./program.ts";

export type Surroundings = Pick<
  FakeRun,
  "environment" | "directory" | "files" | "hostName" | "lookUp"
>;

/** A function that runs as if it were a process: its streams, its signals, its ending. */
export class FakeProcess implements SandboxProcess {
  readonly output: PassThrough;
  readonly errors: PassThrough | undefined;
  readonly input = new PassThrough();
  readonly ended: Promise<ProcessEnding>;
  readonly #killing = new AbortController();
  readonly #size: { columns: number; rows: number } | undefined;
  #signal: NodeJS.Signals | undefined;

  constructor(program: FakeProgram, request: ProcessRequest, surroundings: Surroundings) {
    const { terminal, inputBytes } = request;
    this.output = new PassThrough();
    const isApart = terminal === undefined || terminal.separateErrors === true;
    this.errors = isApart ? new PassThrough() : undefined;
    this.#size = terminal === undefined ? undefined : { ...terminal };
    const cooks = terminal !== undefined && terminal.rawOutput !== true;
    const output = this.#openOutput(this.output, cooks);
    const errors = this.errors === undefined ? output : this.#openOutput(this.errors, false);
    const run: FakeRun = {
      ...surroundings,
      argv: request.argv,
      input: inputBytes === undefined ? this.input : readOnly(inputBytes),
      output,
      errors,
      ...(this.#size === undefined ? {} : { terminal: this.#size }),
      signal: this.#killing.signal,
    };
    this.ended = this.#run(program, run);
  }

  resize({ columns, rows }: { columns: number; rows: number }): void {
    if (this.#size !== undefined) Object.assign(this.#size, { columns, rows });
  }

  async signal(name: NodeJS.Signals): Promise<void> {
    this.#signal ??= name;
    this.#killing.abort();
  }

  async kill(): Promise<void> {
    await this.signal("SIGKILL");
    await this.ended;
  }

  async #run(program: FakeProgram, run: FakeRun): Promise<ProcessEnding> {
    const killed = new Promise<"killed">((resolve) => {
      run.signal.addEventListener("abort", () => resolve("killed"), { once: true });
    });
    // Whoever started it has taken hold of its streams before it writes.
    const ran = Promise.resolve().then(() => program(run));
    const code = await Promise.race([ran.catch((error: unknown) => tell(run, error)), killed]);
    const isKilled = code === "killed" || run.signal.aborted;
    // What a killed program still writes is read by nobody.
    for (const stream of new Set([run.output, run.errors])) {
      if (isKilled) stream.destroy();
      else await finished(stream.end());
    }
    this.output.end();
    this.errors?.end();
    this.input.destroy();
    if (!isKilled) return { kind: "exited", code: Number(code) };
    const signal = this.#signal ?? "SIGKILL";
    return { kind: "signalled", code: 128 + constants.signals[signal], signal };
  }

  /** Where the program writes; `cooks`: as a terminal does with LF. */
  #openOutput(target: PassThrough, cooks: boolean): Writable {
    const stream = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        if (!cooks) return done(null, chunk);
        done(null, Buffer.from(chunk.toString("latin1").replaceAll("\n", "\r\n"), "latin1"));
      },
    });
    stream.pipe(target, { end: false });
    return stream;
  }
}

function tell(run: FakeRun, error: unknown): number {
  if (!run.signal.aborted) run.errors.write(`${run.argv[0]}: ${String(error)}\n`);
  return 1;
}

function readOnly(bytes: Uint8Array): Readable {
  return new PassThrough().end(Buffer.from(bytes));
}
