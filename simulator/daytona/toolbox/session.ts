import { randomUUID } from "node:crypto";
import { EventEmitter } from "node:events";
import type { Machine, Program } from "../machine.ts";
import { Refusal } from "../refusal.ts";

/** Begins what follows of one stream, in the logs that are followed. */
export const STREAM_PREFIXES = {
  output: Buffer.from([1, 1, 1]),
  errors: Buffer.from([2, 2, 2]),
} as const;

type StreamName = keyof typeof STREAM_PREFIXES;

/** A command of a session, with everything it wrote. */
export class SessionCommand {
  readonly id = randomUUID();
  readonly text: string;
  readonly events = new EventEmitter<{ bytes: [StreamName, Buffer]; end: [] }>().setMaxListeners(0);
  readonly streams: Readonly<Record<StreamName, Buffer[]>> = { output: [], errors: [] };
  /** Both streams in the order in which they came here. */
  readonly inOrder: { stream: StreamName; bytes: Buffer }[] = [];
  exitCode: number | undefined;
  #openStreams = 2;

  constructor(text: string) {
    this.text = text;
  }

  get hasEnded(): boolean {
    return this.#openStreams === 0;
  }

  take(stream: StreamName, bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.streams[stream].push(bytes);
    this.inOrder.push({ stream, bytes });
    this.events.emit("bytes", stream, bytes);
  }

  endStream(exitCode: number): void {
    this.exitCode = exitCode;
    this.#openStreams -= 1;
    if (this.hasEnded) this.events.emit("end");
  }

  async ended(): Promise<void> {
    if (this.hasEnded) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.events.once("end", resolve);
    await promise;
  }

  textOf(stream: StreamName): string {
    return Buffer.concat(this.streams[stream]).toString();
  }

  toInfo(): object {
    const { id, text: command, exitCode } = this;
    return { id, command, ...(this.hasEnded ? { exitCode } : {}) };
  }
}

/** One shell, to which commands are given one after another. */
export class Session {
  readonly id: string;
  readonly commands: SessionCommand[] = [];
  readonly #program: Program;
  readonly #machine: Machine;
  readonly #mark = `fake-${randomUUID()}`;
  readonly #pipe: string;
  readonly #rest: Record<StreamName, Buffer> = { output: Buffer.alloc(0), errors: Buffer.alloc(0) };
  #hasEnded = false;
  #last: Promise<void> = Promise.resolve();

  private constructor(id: string, machine: Machine, program: Program) {
    this.id = id;
    this.#machine = machine;
    this.#program = program;
    this.#pipe = `/tmp/.${this.#mark}`;
    // Both ends are held open: a command that reads its input waits for what `input` sends.
    program.input.write(`mkfifo ${this.#pipe}; exec 3<>${this.#pipe}\n`);
    program.output.on("data", (bytes: Buffer) => this.#take("output", bytes));
    program.errors?.on("data", (bytes: Buffer) => this.#take("errors", bytes));
    void program.ended.then(({ code }) => this.#close(code));
  }

  static async open(id: string, machine: Machine, shell: string): Promise<Session> {
    return new Session(id, machine, await machine.run({ argv: [shell] }));
  }

  toInfo(): object {
    return { sessionId: this.id, commands: this.commands.map((command) => command.toInfo()) };
  }

  /** Begins once the commands before it are done. Throws 410 when the shell has ended. */
  run(text: string): SessionCommand {
    if (this.#hasEnded) {
      throw new Refusal(["daemon", 410], "session has ended", { code: "SESSION_ENDED" });
    }
    const command = new SessionCommand(text);
    this.commands.push(command);
    this.#last = this.#last.then(() => {
      if (this.#hasEnded) return undefined;
      // `eval` in the shell itself: directory and variables stay, and a broken command does not break the shell.
      const told = `printf '\\0${this.#mark} %s\\n' "$fake_code"`;
      const line = `eval ${quote(text)} <&3; fake_code=$?; ${told}; ${told} >&2\n`;
      this.#program.input.write(line);
      return command.ended();
    });
    return command;
  }

  /** Throws 404. */
  command(id: string): SessionCommand {
    const found = this.commands.find((command) => command.id === id);
    if (found !== undefined) return found;
    throw new Refusal(["daemon", 404], "command not found", { code: "NOT_FOUND" });
  }

  async input(command: SessionCommand, text: string): Promise<void> {
    if (command.hasEnded) {
      const code = "COMMAND_ALREADY_COMPLETED";
      throw new Refusal(["daemon", 410], "command has already completed", { code });
    }
    const argv = ["sh", "-c", 'cat > "$0"', this.#pipe];
    const program = await this.#machine.run({ argv });
    program.input.end(text);
    await program.ended;
  }

  /** Everything in it is killed. */
  async kill(): Promise<void> {
    await this.#program.kill();
  }

  /** Its machine is gone. */
  end(): void {
    this.#close(-1);
  }

  #close(code: number): void {
    this.#hasEnded = true;
    for (const command of this.commands) {
      while (!command.hasEnded) command.endStream(code);
    }
  }

  /** Gives the bytes to the command they are of: the first that has not ended on this stream. */
  #take(stream: StreamName, bytes: Buffer): void {
    let rest = Buffer.concat([this.#rest[stream], bytes]);
    for (;;) {
      const command = this.#current(stream);
      const at = rest.indexOf("\0" + this.#mark);
      const end = at < 0 ? -1 : rest.indexOf("\n", at);
      if (command === undefined || end < 0) break;
      command.take(stream, rest.subarray(0, at));
      this.#ended[stream].add(command);
      command.endStream(Number(rest.subarray(at + 2 + this.#mark.length, end).toString()));
      rest = rest.subarray(end + 1);
    }
    // The beginning of a mark is not given on before it is known to be none.
    const nul = rest.indexOf(0, Math.max(0, rest.length - this.#mark.length - 8));
    const whole = nul < 0 ? rest.length : nul;
    this.#current(stream)?.take(stream, rest.subarray(0, whole));
    this.#rest[stream] = rest.subarray(whole);
  }

  readonly #ended: Readonly<Record<StreamName, Set<SessionCommand>>> = {
    output: new Set(),
    errors: new Set(),
  };

  #current(stream: StreamName): SessionCommand | undefined {
    return this.commands.find((command) => !this.#ended[stream].has(command));
  }
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
